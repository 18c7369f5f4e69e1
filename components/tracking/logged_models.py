"""Models as MLflow's LoggedModels, so that its Models table ranks them by quality, size and latency.

MLflow keeps no copy of the weights: DVC has them. The same weights are the same model, whichever run had them; its
metrics name the run and the rows that they are from.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.tracking.tracked_run import Input

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Metric
    from mlflow.entities.model_registry import ModelVersion

IDENTITY = "lianzi.model"
VERSIONS = "mlflow.modelVersions"
"""The tag in which MLflow itself notes the registered versions of a model, and which its table shows."""
TABLES = "mlflow.loggedArtifacts"
_LONGEST = 6000
_METRICS_A_BATCH = 1000


@dataclass(frozen=True)
class Model:
    """A model of a task. name: without `/ : . %`; kind: `teacher`, `student` or `rung`; identity: the same for the same
    weights; source: the run that made it, where MLflow has it; metrics: those on the test rows, its size and speed."""

    name: str
    kind: str
    identity: str
    source: str | None
    tags: Mapping[str, str]
    params: Mapping[str, object]
    metrics: Mapping[str, float]


def log_models(client: MlflowClient, run_id: str, models: Sequence[Model], rows: Input) -> dict[str, str]:
    """Log the models that a run evaluated on these rows. Returns name -> id. What MLflow has already stays as it is.

    In the run itself each metric becomes a curve over the models, in their order.
    """
    experiment = client.get_run(run_id).info.experiment_id
    found = {model.name: _found(client, experiment, model) or _created(client, experiment, model) for model in models}
    ids = {name: str(one.model_id) for name, one in found.items()}
    log_metrics_of(client, run_id, {ids[model.name]: model.metrics for model in models}, rows)
    _log_inputs(client, run_id, ids.values(), rows)
    return ids


def log_metrics_of(
    client: MlflowClient, run_id: str, metrics: Mapping[str, Mapping[str, float]], rows: Input, first: int = 0
) -> None:
    """Log metrics by the id of their model, those that MLflow does not have from this run yet; the model's number,
    counted from `first`, is the step."""
    now = int(time.time() * 1000)
    new: list[Metric] = []
    for step, (model, values) in enumerate(metrics.items(), first):
        kept = {one.key for one in client.get_logged_model(model).metrics or () if one.run_id == run_id}
        new += [_metric(name, value, now, step, model, rows) for name, value in values.items() if name not in kept]
    for start in range(0, len(new), _METRICS_A_BATCH):
        client.log_batch(run_id, metrics=new[start : start + _METRICS_A_BATCH])


def _metric(name: str, value: float, now: int, step: int, model: str, rows: Input) -> Metric:
    from mlflow.entities import Metric

    return Metric(name, float(value), now, step, model, rows.name, rows.digest)


def link_version(client: MlflowClient, version: ModelVersion, model: str, tags: Mapping[str, str]) -> None:
    """Tie a registered version to the model that it answers with, both ways."""
    number = str(version.version)
    for name, value in ({"model": model} | dict(tags)).items():
        if version.tags.get(name) != value:
            client.set_model_version_tag(version.name, number, name, value)
    entry = {"name": version.name, "version": int(number)}
    known = json.loads(client.get_logged_model(model).tags.get(VERSIONS, "[]"))
    if entry not in known:
        client.set_logged_model_tags(model, {VERSIONS: json.dumps([*known, entry])})


def registered_model(version: ModelVersion) -> str | None:
    """The id of the model that a version was registered from; None where it was registered from a folder."""
    scheme, _, found = str(version.source).partition(":/")
    return found if scheme == "models" and found.startswith("m-") else None


def versions_of_bundle(client: MlflowClient, task: str, bundle: str) -> list[ModelVersion]:
    """The versions of a task that were registered from the bundle with this digest."""
    return list(client.search_model_versions(f"name = '{task}' and tags.bundle = '{bundle}'"))


def add_params(client: MlflowClient, run_id: str, params: Mapping[str, object]) -> None:
    """Log the parameters that a run does not have yet."""
    from mlflow.entities import Param

    from components.tracking.tracked_run import metric_name

    known = client.get_run(run_id).data.params
    named = {metric_name(name)[:250]: str(value)[:_LONGEST] for name, value in params.items()}
    new = [Param(name, value) for name, value in named.items() if name not in known]
    for start in range(0, len(new), 100):
        client.log_batch(run_id, params=new[start : start + 100])


def log_table_once(client: MlflowClient, run_id: str, name: str, table: Mapping[str, list[object]]) -> None:
    """Log a table, which MLflow shows and joins across runs; a run that has it keeps it."""
    kept = json.loads(client.get_run(run_id).data.tags.get(TABLES, "[]"))
    if not any(one["path"] == name for one in kept):
        client.log_table(run_id, dict(table), name)


def _found(client: MlflowClient, experiment: str, model: Model) -> LoggedModel | None:
    places, by = [experiment], f"tags.`{IDENTITY}` = '{model.identity}'"
    return next(iter(client.search_logged_models(places, by, max_results=1)), None)


def _created(client: MlflowClient, experiment: str, model: Model) -> LoggedModel:
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    made = client.create_logged_model(
        experiment,
        model.name,
        model.source,
        tags=dict(model.tags) | {IDENTITY: model.identity},
        params={name: str(value)[:_LONGEST] for name, value in model.params.items()},
        model_type=model.kind,
    )
    if model.source:
        client.log_outputs(model.source, [LoggedModelOutput(made.model_id, 0)])
    return client.finalize_logged_model(made.model_id, LoggedModelStatus.READY)


def _log_inputs(client: MlflowClient, run_id: str, models: Iterable[str], rows: Input) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput

    inputs = client.get_run(run_id).inputs
    known = {one.model_id for one in inputs.model_inputs} if inputs else set()
    dataset = Dataset(name=rows.name, digest=rows.digest, source_type="dvc", source=rows.name)
    client.log_inputs(
        run_id,
        [DatasetInput(dataset, [InputTag("mlflow.data.context", "test")])],
        [LoggedModelInput(one) for one in models if one not in known],
    )
