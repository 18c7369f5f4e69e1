"""What happened, for MLflow, which this module and `components.registry` alone import.

One parent run a pipeline run, one nested run a stage that really ran. Step metrics are buffered and sent as
batches, since a metric at a time costs 12 ms (SQLite) and a batch of a thousand 70 ms.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import ServiceError
from components.params import Section, flatten
from components.run import Metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

EXPERIMENT = "lianzi"
PARENT_VARIABLE = "LIANZI_PARENT_RUN"
"""Environment variable with which a flow tells its stages their parent run."""

_PROCESS_TAG = "lianzi.process"
_DRIVER_TAG = "lianzi.driver"
_FLUSH_SECONDS = 5.0


def tracking_uri() -> str:
    """MLFLOW_TRACKING_URI, or the project's own SQLite store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path('mlflow/mlflow.db').absolute()}"


@dataclass
class TrackedRun:
    """A `components.run.Run` whose record goes to an MLflow run."""

    client: MlflowClient
    id: str
    steps: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    _buffer: list[Metric] = field(default_factory=list)
    _flushed: float = field(default_factory=time.monotonic)
    resumed: bool = False
    _told: dict[str, set[int]] = field(default_factory=dict)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        self.steps.append((step, dict(metrics)))
        self._note(metrics, step)
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self.flush()

    def log_result(self, metrics: Metrics) -> None:
        """Record the metrics a stage returned."""
        self._note({name.replace(".", "/"): value for name, value in flatten(metrics).items()}, 0)
        self.flush()

    def log_figure(self, name: str, figure: Figure) -> None:
        with tempfile.TemporaryDirectory() as folder:
            figure.savefig(Path(folder, name), dpi=120, bbox_inches="tight")
            self.client.log_artifacts(self.id, folder, "figures")

    def log_files(self, path: Path, folder: str = "") -> None:
        if path.is_dir():
            self.client.log_artifacts(self.id, str(path), folder or path.name)
        else:
            self.client.log_artifact(self.id, str(path), folder or None)

    def say(self, line: str) -> None:
        print(line, flush=True)

    def _note(self, metrics: Mapping[str, Any], step: int) -> None:
        """Buffer what the store has not been told yet: a training carried on comes by the same steps again."""
        fresh = _metrics(metrics, step)
        if self.resumed:
            fresh = [metric for metric in fresh if step not in self._steps_told(metric.key)]
        self._buffer += fresh

    def _steps_told(self, key: str) -> set[int]:
        if key not in self._told:
            self._told[key] = {metric.step for metric in self.client.get_metric_history(self.id, key)}
        return self._told[key]

    def flush(self) -> None:
        """Send what is buffered."""
        for start in range(0, len(self._buffer), 1000):
            self.client.log_batch(self.id, metrics=self._buffer[start : start + 1000])
        self._buffer.clear()
        self._flushed = time.monotonic()


@contextmanager
def stage_run(
    stage: str,
    task: str | None,
    sections: Mapping[str, Section],
    paths: Mapping[str, Path],
    begun: str | None = None,
) -> Iterator[TrackedRun]:
    """A nested run for a stage; ends FINISHED, FAILED or KILLED, never RUNNING.

    `begun`: the run an interrupted try of the same stage was tracked under; it is carried on where it still exists.
    """
    client = connect()
    sweep(client)
    name = f"{stage}@{task}" if task else stage
    parent, shared = _parent(client)
    tags = {"mlflow.parentRunId": parent} if parent else {}
    resumed = begun is not None and _carry_on(client, begun, tags)
    run_id = begun if begun is not None and resumed else _create(client, name, tags)
    if not resumed:
        named = {stage if name == "config" else name: section for name, section in sections.items()}
        _log_params(client, run_id, named)
        _log_inputs(client, run_id, paths)
    run = TrackedRun(client, run_id, resumed=resumed)
    with _ended(run, [parent] if shared and parent else []):
        yield run


@contextmanager
def pipeline_run(name: str, tags: Mapping[str, str]) -> Iterator[TrackedRun]:
    """The parent run of a pipeline run; stages started inside find it through the environment."""
    client = connect()
    sweep(client)
    run = TrackedRun(client, _create(client, name, tags))
    os.environ[PARENT_VARIABLE] = run.id
    try:
        with _ended(run, []):
            yield run
    finally:
        del os.environ[PARENT_VARIABLE]
        sweep(client)


@contextmanager
def _ended(run: TrackedRun, parents: list[str]) -> Iterator[None]:
    """When the block ends, end the run and these parents: FINISHED, FAILED, or KILLED by an interruption."""
    status = "KILLED"
    try:
        yield
        status = "FINISHED"
    except Exception:
        status = "FAILED"
        raise
    finally:
        run.flush()
        for run_id in (run.id, *parents):
            run.client.set_terminated(run_id, status)


def connect() -> MlflowClient:
    """A client of the tracking store, which is made on first use. Raises ServiceError."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    import logging

    logging.getLogger("alembic").setLevel(logging.WARNING)
    import mlflow
    from mlflow.exceptions import MlflowException

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    uri = tracking_uri()
    client = mlflow.MlflowClient(uri)
    try:
        if client.get_experiment_by_name(EXPERIMENT) is None:
            _create_experiment(client, uri)
    except MlflowException as error:
        raise ServiceError(
            f"MLflow at {without_password(uri)} does not answer: {without_password(str(error).splitlines()[0])[:200]}",
            "start it, or unset MLFLOW_TRACKING_URI to use the project's own store",
        ) from None
    return client


def sweep(client: MlflowClient) -> None:
    """Mark as KILLED the runs whose process died without saying so."""
    import psutil

    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        return
    for run in client.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'"):
        host, _, rest = run.data.tags.get(_PROCESS_TAG, "").partition("|")
        pid, _, created = rest.partition("|")
        if host != socket.gethostname() or not pid:
            continue
        try:
            alive = f"{psutil.Process(int(pid)).create_time():.2f}" == created
        except psutil.NoSuchProcess:
            alive = False
        if not alive:
            client.set_terminated(run.info.run_id, "KILLED")


def _create_experiment(client: MlflowClient, uri: str) -> None:
    from mlflow.exceptions import MlflowException

    # The project's own store keeps its files beside it; a server decides for itself.
    location = Path("mlflow/artifacts").absolute().as_uri() if uri.startswith("sqlite") else None
    try:
        client.create_experiment(EXPERIMENT, artifact_location=location)
    except MlflowException:
        # Another stage made it in the meantime.
        if client.get_experiment_by_name(EXPERIMENT) is None:
            raise


def _create(client: MlflowClient, name: str, tags: Mapping[str, str]) -> str:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    described = {**_git_tags(), _PROCESS_TAG: _process(os.getpid()), "mlflow.runName": name, **tags}
    run: Run = client.create_run(experiment.experiment_id, run_name=name, tags=described)
    return str(run.info.run_id)


def _carry_on(client: MlflowClient, run_id: str, tags: Mapping[str, str]) -> bool:
    """Take up a run that was left: it runs again, in this process. False where it is no more."""
    from mlflow.exceptions import MlflowException

    try:
        client.update_run(run_id, status="RUNNING")
    except MlflowException:
        return False
    for name, value in {**tags, _PROCESS_TAG: _process(os.getpid())}.items():
        client.set_tag(run_id, name, value)
    return True


def _parent(client: MlflowClient) -> tuple[str | None, bool]:
    """The parent run's id, and whether it is one shared by the stages of a plain `dvc repro`."""
    if PARENT_VARIABLE in os.environ:
        return os.environ[PARENT_VARIABLE], False
    driver = _dvc_process()
    if driver is None:
        return None, False
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], f"tags.`{_DRIVER_TAG}` = '{driver}'", max_results=1)
    if found:
        client.update_run(found[0].info.run_id, status="RUNNING")
        return str(found[0].info.run_id), True
    return _create(client, "dvc repro", {_DRIVER_TAG: driver, _PROCESS_TAG: driver}), True


def _dvc_process() -> str | None:
    """The `dvc` process among this one's ancestors."""
    import psutil

    for ancestor in psutil.Process().parents():
        try:
            if any(Path(word).name == "dvc" for word in ancestor.cmdline()[:3]):
                return _process(ancestor.pid)
        except psutil.Error:
            continue
    return None


def _process(pid: int) -> str:
    import psutil

    return f"{socket.gethostname()}|{pid}|{psutil.Process(pid).create_time():.2f}"


def _git_tags() -> dict[str, str]:
    """The commit worked on, and whether tracked files differ from it."""
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return {}
    dirty = bool(_git("status", "--porcelain", "--untracked-files=no"))
    return {"mlflow.source.git.commit": commit, "git.dirty": str(dirty).lower()}


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _log_params(client: MlflowClient, run_id: str, sections: Mapping[str, Section]) -> None:
    from mlflow.entities import Param

    flat = flatten({name: section.model_dump() for name, section in sections.items()})
    client.log_batch(run_id, params=[Param(key, str(value)) for key, value in flat.items()])


def _log_inputs(client: MlflowClient, run_id: str, paths: Mapping[str, Path]) -> None:
    """Record each input of the stage as a dataset whose digest is DVC's hash."""
    from mlflow.entities import Dataset, DatasetInput

    known = dvc_hashes()
    inputs = [
        DatasetInput(
            Dataset(
                name=path.as_posix(), digest=known[path.as_posix()][:36], source_type="dvc", source=path.as_posix()
            ),
            [],
        )
        for path in paths.values()
        if path.as_posix() in known and path.exists()
    ]
    if inputs:
        client.log_inputs(run_id, datasets=inputs)


def dvc_hashes() -> dict[str, str]:
    """Path -> DVC hash, of every output in dvc.lock and of data.dvc."""
    import yaml

    hashes: dict[str, str] = {}
    for path in (Path("data.dvc"), Path("dvc.lock")):
        if not path.is_file():
            continue
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        outs = list(content.get("outs", []))
        for stage in content.get("stages", {}).values():
            outs += stage.get("outs", [])
        hashes |= {out["path"]: out["md5"] for out in outs if "md5" in out}
    return hashes


def _metrics(metrics: Mapping[str, Any], step: int) -> list[Metric]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [
        Metric(re.sub(r"[^/\w.\- :]", "_", name), float(value), now, step)
        for name, value in metrics.items()
        if isinstance(value, int | float)
    ]


def without_password(uri: str) -> str:
    """An address fit to be shown."""
    return re.sub(r"://[^@/\s]*@", "://***@", uri)


def store_exists() -> bool:
    """Whether the tracking store is there; a server's is taken to be."""
    uri = tracking_uri()
    return not uri.startswith("sqlite:///") or Path(uri.removeprefix("sqlite:///")).is_file()
