"""A run that logs to MLflow, and keeps its record while MLflow is unreachable.

Step metrics are buffered and sent in batches: a single metric takes 12 ms (SQLite), a batch of a thousand 70 ms. No
result depends on the store: a failed batch is sent again later, at the latest at the end. If that fails too, the record
is kept under .lianzi/undelivered/, and `deliver` sends it when a later run begins.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import first_line
from components.params import flatten
from components.replacing import replace_text
from components.run import Metrics
from components.tracking.store import EXPERIMENT, connect, project_root, store_name, without_password

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient
    from mlflow.entities import Metric

UNDELIVERED = Path(".lianzi/undelivered")
_FLUSH_SECONDS = 5.0
_METRICS_A_BATCH = 1000
_PARAMS_A_BATCH = 100
_SHARE_OF_TIME = 0.1
"""The share of a training's time that may be spent on retries to reach the store."""


@dataclass(frozen=True)
class Input:
    """Input data of a run."""

    name: str
    digest: str


@dataclass(frozen=True)
class Opening:
    """The parameters, tags and inputs of a new MLflow run."""

    name: str
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    started: int = field(default_factory=lambda: _now())


@dataclass
class TrackedRun:
    """A `components.run.Run` that logs to an MLflow run. With an `opening`, it creates the run."""

    client: MlflowClient | None
    id: str
    steps: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    resumed: bool = False
    tokens_a_step: int = 0
    opening: Opening | None = None
    _buffer: list[Metric] = field(default_factory=list)
    _results: list[Metric] = field(default_factory=list)
    _inputs: list[Input] = field(default_factory=list)
    _last: dict[str, Metric] = field(default_factory=dict)
    _told: dict[str, set[tuple[int, float]]] = field(default_factory=dict)
    _flushed: float = field(default_factory=time.monotonic)
    _pause: float = _FLUSH_SECONDS
    _away: bool = False
    _key: str = field(default_factory=lambda: uuid.uuid4().hex)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        self.steps.append((step, dict(metrics)))
        # Tokens of the windows, at the same steps as the others, so that MLflow can draw them over it.
        tokens = {"tokens": step * self.tokens_a_step} if self.tokens_a_step else {}
        for metric in _metrics({**metrics, **tokens}, step):
            self._buffer.append(metric)
            self._last[metric.key] = metric
        if time.monotonic() - self._flushed > self._pause:
            self.flush()

    def note(self, metrics: Mapping[str, float], step: int) -> None:
        """Buffer metrics that are no result of the work, from any thread; they are sent with the next others."""
        self._buffer.extend(_metrics(metrics, step))

    def log_result(self, metrics: Metrics) -> None:
        """Log the metrics that a stage returned.

        A metric with a curve becomes the last point of that curve, so that MLflow shows it as the value.
        """
        for metric in _metrics(by_path(metrics), 0):
            last = self._last.get(metric.key)
            if last is None:
                self._results.append(metric)
            elif metric.value != last.value:
                # Of two points at one step MLflow shows the later.
                later = max(metric.timestamp, last.timestamp + 1)
                self._results.append(type(metric)(metric.key, metric.value, later, last.step))
                # The result is that of the best weights: beside it, where the curve ends.
                self._results.append(type(metric)(f"last/{metric.key}", last.value, later, last.step))
        self.flush()

    def log_inputs(self, inputs: Iterable[Input]) -> None:
        """Log input data that became known only after the run had begun."""
        self._inputs += inputs

    def log_figure(self, name: str, figure: Figure) -> None:
        with tempfile.TemporaryDirectory() as folder:
            figure.savefig(Path(folder, name), dpi=120, bbox_inches="tight")
            self.log_files(Path(folder), "figures")

    def log_text(self, name: str, text: str) -> None:
        """Log a text as an artifact of this name."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            path.write_text(text, encoding="utf-8")
            self.log_files(path)

    def log_files(self, path: Path, folder: str = "") -> None:
        folder = folder or (path.name if path.is_dir() else "")
        if not self._away:
            try:
                _upload(self._begun(), self.id, path, folder)
                return
            except Exception as error:
                self._note_outage(error)
        kept = self._outbox / "files" / folder
        kept.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, kept, dirs_exist_ok=True)
        else:
            shutil.copy(path, kept)

    def say(self, line: str) -> None:
        print(line, flush=True)

    def begin(self) -> str:
        """Create the MLflow run now, or later where MLflow is unreachable. Returns the run's id, empty in the second
        case.
        """
        self.flush()
        return self.id

    def flush(self) -> None:
        """Send the buffer; what MLflow does not accept now stays in it."""
        began = time.monotonic()
        try:
            self._send()
        # Whatever the store's driver raises: the work does not depend on it.
        except Exception as error:
            self._pause = max(_FLUSH_SECONDS, (time.monotonic() - began) / _SHARE_OF_TIME)
            self._note_outage(error)
        else:
            self._pause = _FLUSH_SECONDS
            if self._away:
                self._away = False
                self.say("MLflow answers again; it has the whole record.")
        self._flushed = time.monotonic()

    def finish(self, status: str) -> None:
        """End the run in MLflow, or save the rest of its record for `deliver`."""
        ended = _now()
        try:
            self._end(status, ended)
        except Exception as error:
            self._note_outage(error)
            self._keep(status, ended)
            print(
                f"MLflow: {len(self._buffer) + len(self._results):,} metrics of this run are kept in {UNDELIVERED}; "
                "the next run delivers them once MLflow answers.",
                file=sys.stderr,
                flush=True,
            )

    def _begun(self) -> MlflowClient:
        """The client, once the run exists in MLflow."""
        if self.client is None:
            self.client = connect()
        if self.opening is not None:
            self.id = self.id or _create(self.client, self.opening)
            _describe(self.client, self.id, self.opening)
            self.opening = None
        return self.client

    def _send(self) -> None:
        client = self._begun()
        while self._buffer:
            batch = self._buffer[:_METRICS_A_BATCH]
            known = {metric.key: {step for step, _ in self._points(metric.key)} for metric in batch}
            if fresh := [metric for metric in batch if metric.step not in known[metric.key]]:
                client.log_batch(self.id, metrics=fresh)
            del self._buffer[: len(batch)]
        # Behind the curves, whose last points they are.
        while self._results:
            batch = self._results[:_METRICS_A_BATCH]
            # A run may be killed between its results and its end.
            if fresh := [one for one in batch if (one.step, one.value) not in self._points(one.key)]:
                client.log_batch(self.id, metrics=fresh)
            del self._results[: len(batch)]
        if self._inputs:
            _log_inputs(client, self.id, self._inputs)
            self._inputs.clear()
        if (self._outbox / "files").is_dir():
            client.log_artifacts(self.id, str(self._outbox / "files"))
            shutil.rmtree(self._outbox)

    def _points(self, key: str) -> set[tuple[int, float]]:
        """The steps and values that the store had when this process began: a resumed training repeats them."""
        if not self.resumed:
            return set()
        if key not in self._told:
            assert self.client is not None
            history = self.client.get_metric_history(self.id, key)
            self._told[key] = {(metric.step, metric.value) for metric in history}
        return self._told[key]

    def _end(self, status: str, ended: int) -> None:
        self._send()
        self._begun().set_terminated(self.id, status, ended)

    def _note_outage(self, error: Exception) -> None:
        if not self._away:
            self._away = True
            reason = without_password(first_line(error))[:160]
            print(
                f"MLflow at {store_name()} refuses data: {reason}\n"
                "The work goes on; the record is kept and sent later.",
                file=sys.stderr,
                flush=True,
            )

    @property
    def _outbox(self) -> Path:
        return project_root() / UNDELIVERED / self._key

    def _keep(self, status: str, ended: int) -> None:
        """Save the part of the record that MLflow does not have."""
        kept = {
            "store": store_name(),
            "run": self.id,
            "opening": asdict(self.opening) if self.opening else None,
            "resumed": self.resumed,
            "metrics": [[metric.key, metric.value, metric.timestamp, metric.step] for metric in self._buffer],
            "results": [[metric.key, metric.value, metric.timestamp, metric.step] for metric in self._results],
            "status": status,
            "ended": ended,
            "inputs": [asdict(item) for item in self._inputs],
        }
        replace_text(self._outbox / "run.json", json.dumps(kept))


def deliver(client: MlflowClient) -> int:
    """Send the records saved while this store was unreachable. Returns the number of runs."""
    delivered = 0
    for path in sorted((project_root() / UNDELIVERED).glob("*/run.json")):
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if kept["store"] != store_name():
            continue
        try:
            _kept_run(client, kept, path.parent.name)._end(kept["status"], kept["ended"])
        except Exception as error:
            if getattr(error, "error_code", "") != "RESOURCE_DOES_NOT_EXIST":
                break
            print(f"MLflow has no run {kept['run']} any more: its kept record is deleted.", file=sys.stderr)
        else:
            delivered += 1
        shutil.rmtree(path.parent, ignore_errors=True)
    if delivered:
        print(
            f"MLflow now has the records of {delivered} runs that were kept while it did not answer.", file=sys.stderr
        )
    return delivered


def _kept_run(client: MlflowClient, kept: Mapping[str, Any], key: str) -> TrackedRun:
    from mlflow.entities import Metric

    opening = kept["opening"]
    if opening is not None:
        inputs = tuple(Input(**found) for found in opening["inputs"])
        opening = Opening(**{**opening, "inputs": inputs})
    run = TrackedRun(client, kept["run"], resumed=kept["resumed"], opening=opening, _key=key)
    run._inputs = [Input(**item) for item in kept["inputs"]]
    run._buffer = [Metric(*row) for row in kept["metrics"]]
    run._results = [Metric(*row) for row in kept["results"]]
    return run


def by_path(metrics: Metrics) -> dict[str, Any]:
    """Nested metrics as MLflow names them: `teacher/macro_f1`."""
    return {name.replace(".", "/"): value for name, value in flatten(metrics).items()}


def metric_name(name: str) -> str:
    """A name with the characters that MLflow refuses replaced."""
    return re.sub(r"[^/\w.\- :]", "_", name)


def _create(client: MlflowClient, opening: Opening) -> str:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    run = client.create_run(experiment.experiment_id, opening.started, dict(opening.tags), opening.name)
    return str(run.info.run_id)


def _describe(client: MlflowClient, run_id: str, opening: Opening) -> None:
    """Log params and inputs. MLflow accepts a hundred params at a time, of at most 6,000 characters each."""
    from mlflow.entities import Param

    params = [Param(metric_name(key)[:250], value[:6000]) for key, value in opening.params.items()]
    for start in range(0, len(params), _PARAMS_A_BATCH):
        client.log_batch(run_id, params=params[start : start + _PARAMS_A_BATCH])
    _log_inputs(client, run_id, opening.inputs)


def _log_inputs(client: MlflowClient, run_id: str, inputs: Iterable[Input]) -> None:
    """Log input data."""
    from mlflow.entities import Dataset, DatasetInput

    found = [
        DatasetInput(Dataset(name=item.name, digest=item.digest, source_type="dvc", source=item.name), [])
        for item in inputs
    ]
    if found:
        client.log_inputs(run_id, datasets=found)


def _upload(client: MlflowClient, run_id: str, path: Path, folder: str) -> None:
    if path.is_dir():
        client.log_artifacts(run_id, str(path), folder)
    else:
        client.log_artifact(run_id, str(path), folder or None)


def _metrics(metrics: Mapping[str, Any], step: int) -> list[Metric]:
    from mlflow.entities import Metric

    now = _now()
    return [
        Metric(metric_name(name), float(value), now, step)
        for name, value in metrics.items()
        if isinstance(value, int | float)
    ]


def _now() -> int:
    return int(time.time() * 1000)
