"""Ties what MLflow has of a project together: models, the runs that made and evaluated them, versions, and a
description of the pipeline run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import tracking
from components.artifacts import MANIFEST, digest
from components.tracking.inputs import read_lock
from components.tracking.logged_models import (
    add_params,
    link_version,
    log_metrics_of,
    log_models,
    log_table_once,
    registered_model,
    versions_of_bundle,
)
from components.tracking.past_runs import active_run, set_tags
from components.tracking.revision import COMMIT
from components.tracking.store import PARENT
from flows.description import Tied, describe, version_link
from flows.predictions import TABLE, predictions
from flows.results import Result
from flows.task_models import MAKERS, Sources, evaluated_rows, task_models

if TYPE_CHECKING:
    from mlflow import MlflowClient

NOTE = "mlflow.note.content"
"""The tag that MLflow shows as a run's description, in Markdown."""
NOTE_DIGEST = "lianzi.description"
"""The tag with the digest of the description that was written here: any other is a person's, and stays."""


def tie_together(
    client: MlflowClient, results: Sequence[Result], runs: Mapping[str, str], root: Path, parent: str | None
) -> None:
    """Log the models of every evaluated task, tie them to runs and versions, and describe the pipeline runs. Nothing is
    logged twice.

    `runs`: stage -> the id of the run of its result; `parent`: the pipeline run under way, which all results are told
    to. Without it, each pipeline run is told the results that it evaluated itself. Without a task's rows, which tell
    what its metrics are from, its models are left for later.
    """
    sources = Sources({result.name: result for result in results}, runs, read_lock(root))
    evaluated = [result for result in results if result.stage == "evaluate" and result.name in runs]
    tied = [_tie(client, result, sources, root) for result in evaluated]
    if parent is not None:
        _describe(client, parent, tied, runs)
        return
    parents = {one.task: _parent(client, one.run) for one in tied}
    for run_id in sorted({found for found in parents.values() if found}):
        own = [one for one in tied if parents[one.task] == run_id]
        tasks = {"", *(one.task for one in own)}
        _describe(client, run_id, own, {name: found for name, found in runs.items() if name.partition("@")[2] in tasks})


def _describe(client: MlflowClient, run_id: str, tied: Sequence[Tied], runs: Mapping[str, str]) -> None:
    """Describe a pipeline run that has no description, or one from here that lacks a version."""
    run = active_run(client, run_id)
    if run is None:
        return
    present = run.data.tags.get(NOTE)
    if present:
        ours = run.data.tags.get(NOTE_DIGEST) == _digest(present)
        if not ours or all(version_link(one) in present for one in tied):
            return
    text = describe(tied, runs, run.info.experiment_id)
    # Both at once: between two calls the description would look like a person's.
    set_tags(client, run_id, {NOTE: text, NOTE_DIGEST: _digest(text)})


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _tie(client: MlflowClient, result: Result, sources: Sources, root: Path) -> Tied:
    """Log one task's models."""
    run_id, task = sources.runs[result.name], result.task
    metrics = json.loads(result.metrics.read_text(encoding="utf-8"))
    timings = released_timings(root, task)
    rows = evaluated_rows(root, task)
    _add_makers(client, run_id, task, sources)
    if rows is None:
        return Tied(task, run_id, metrics, timings)
    if (table := predictions(root, result)) is not None:
        log_table_once(client, run_id, TABLE, table)
    tags = {name: value for name, value in client.get_run(run_id).data.tags.items() if name in tracking.GIT_TAGS}
    models = task_models(result, sources, timings, tags)
    ids = {name.removeprefix(f"{task}-"): one for name, one in log_models(client, run_id, models, rows).items()}
    bundle = root / "artifacts" / task / "bundle"
    found = versions_of_bundle(client, task, digest(bundle)) if (bundle / MANIFEST).is_file() else []
    version = max(found, key=lambda one: int(one.version), default=None)
    shipped = _system(version.tags.get("rung", "")) if version is not None else ""
    if version is not None and shipped in ids:
        shipping = next(model for model in models if model.name == f"{task}-{shipped}")
        commit = {"commit": tags[COMMIT]} if COMMIT in tags else {}
        link_version(client, version, ids[shipped], {"dvc": shipping.tags["dvc"], "evaluated_by": run_id, **commit})
        if registered := registered_model(version):
            # The copy of the bundle in the registry is a model of its own, which answers with this rung.
            log_metrics_of(client, run_id, {registered: shipping.metrics}, rows, len(models))
            client.set_logged_model_tags(registered, {**shipping.tags, "rung_model": ids[shipped]})
    return Tied(task, run_id, metrics, timings, ids, version, shipped)


def _system(rung: str) -> str:
    from components.evaluation.rungs import system_of

    return system_of(rung)


def _add_makers(client: MlflowClient, run_id: str, task: str, sources: Sources) -> None:
    """In the run of `evaluate`: the parameters of the stages that made the models, and the ids of their runs."""
    names = [f"{stage}@{task}" if stage != "pretrain" else stage for stage in MAKERS]
    tags = client.get_run(run_id).data.tags
    for name in names:
        if name in sources.results:
            add_params(client, run_id, sources.results[name].params)
        key = f"made_by.{name.partition('@')[0]}"
        if name in sources.runs and tags.get(key) != sources.runs[name]:
            client.set_tag(run_id, key, sources.runs[name])


def released_timings(root: Path, task: str) -> dict[str, Any]:
    """Milliseconds by system, size of batch and percentile, as a release has taken them of the present bundle; empty
    before that.
    """
    from flows.timing import reported

    bundle = root / "artifacts" / task / "bundle"
    found = reported(root, task, bundle) if (bundle / MANIFEST).is_file() else None
    if not found or not found.get("released"):
        return {}
    return {_system(name): values for name, values in found.get("systems", {}).items()}


def _parent(client: MlflowClient, run_id: str) -> str | None:
    return client.get_run(run_id).data.tags.get(PARENT)
