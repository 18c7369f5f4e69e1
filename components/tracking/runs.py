"""The runs of the project in MLflow: one parent run for each pipeline run, with a nested run for each stage that
ran.
"""

from __future__ import annotations

import contextlib
import getpass
import math
import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from components.errors import ServiceError, first_line
from components.orphans import dvc_pid
from components.params import flatten
from components.sections import Section
from components.stages import section_of, stage_name
from components.tracking.environment import ENVIRONMENT, environment_text
from components.tracking.headlines import headlines
from components.tracking.inputs import inputs_of, made_from, read_lock
from components.tracking.revision import GIT_TAGS, flat_params, git_diff, git_tags, run_name
from components.tracking.store import EXPERIMENT, PARENT, connect, store_name
from components.tracking.system_metrics import system_metrics
from components.tracking.tracked_run import Opening, TrackedRun, deliver

if TYPE_CHECKING:
    from mlflow import MlflowClient

PARENT_VARIABLE = "LIANZI_PARENT_RUN"
"""The environment variable through which a flow gives its stages the id of their parent run."""

_PROCESS_TAG = "lianzi.process"
_DRIVER_TAG = "lianzi.driver"
_KEY_TAG = "lianzi.key"
"""Of a run that is resumed, the same in every process that works on it."""


@contextmanager
def stage_run(
    stage: str,
    task: str | None,
    sections: Mapping[str, Section],
    paths: Mapping[str, Path],
    begun: str | None = None,
) -> Iterator[TrackedRun]:
    """A nested run for a stage; it ends FINISHED, FAILED or KILLED, never RUNNING.

    `begun`: the run of an interrupted try of the same stage, which is resumed where it still exists. If the store was
    reachable when the pipeline run began and is not now, the stage runs all the same.
    """
    name = stage_name(stage, task)
    client, parent, shared = _reach()
    tags = _described(name) | _inherited(client, parent)
    named = {section_of(stage) if name == "config" else name: section for name, section in sections.items()}
    params = flatten({name: section.model_dump() for name, section in named.items()})
    started = time.time()
    if begun and _carry_on(client, begun, tags):
        run = TrackedRun(client, begun, resumed=True)
        started = _started(client, begun)
    else:
        run = TrackedRun(client, "", opening=_opening(name, tags, params, paths.values()))
        run.begin()
    run.tokens_a_step = _tokens_a_step(stage, params)
    ancestors = made_from(paths.values(), read_lock())
    with contextlib.ExitStack() as ends:
        if shared and client is not None and parent is not None:
            ends.enter_context(_ended(TrackedRun(client, parent)))
        ends.enter_context(_ended(run))
        ends.enter_context(system_metrics(run, started))
        yield run
        if shared and client is not None and parent is not None:
            _tell_parent(client, parent, [*ancestors, name])


@contextmanager
def pipeline_run(name: str, tags: Mapping[str, str]) -> Iterator[TrackedRun]:
    """The parent run of a pipeline run; its stages read the id from the environment. Raises ServiceError."""
    client = connect()
    deliver(client)
    sweep(client)
    run = _begin_pipeline(client, name, tags)
    os.environ[PARENT_VARIABLE] = run.id
    try:
        with _ended(run):
            yield run
    finally:
        del os.environ[PARENT_VARIABLE]
        # The message about an unreachable store was printed already.
        with contextlib.suppress(Exception):
            sweep(client)


@contextmanager
def nested_run(name: str, tags: Mapping[str, str], parent: str) -> Iterator[TrackedRun]:
    """A run inside a pipeline run, for work that is no stage. Raises ServiceError."""
    client = connect()
    described = dict(tags) | _inherited(client, parent)
    with _ended(_begun(TrackedRun(client, "", opening=_opening(name, described, {}, [])))) as run:
        yield run


@contextmanager
def resumable_run(
    name: str, key: str, tags: Mapping[str, str], params: Mapping[str, object], parent: str | None
) -> Iterator[TrackedRun]:
    """A sweep's run, or inside it (`parent`) that of a trial.

    The run that has `key`, of a process that was killed, is resumed. The key is a tag, which MLflow stores together
    with the run: however early the kill came, there is one run. Raises ServiceError.
    """
    client = connect()
    deliver(client)
    sweep(client)
    described = dict(tags) | {_KEY_TAG: key} | _inherited(client, parent)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    begun = client.search_runs([experiment.experiment_id], f"tags.`{_KEY_TAG}` = '{key}'", max_results=1)
    if begun and _carry_on(client, begun[0].info.run_id, described):
        run = TrackedRun(client, begun[0].info.run_id, resumed=True)
    else:
        run = _begun(TrackedRun(client, "", opening=_opening(name, described, params, [])))
    with _ended(run):
        yield run


def curve_in(parent: str, metric: str) -> list[tuple[int, float]]:
    """The points (step, value) of a metric's curve, of the run inside `parent` that began last and has one."""
    client = connect()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    inside = f"tags.`{PARENT}` = '{parent}'"
    for run in client.search_runs([experiment.experiment_id], inside, order_by=["attributes.start_time DESC"]):
        if points := [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, metric)]:
            return sorted(points)
    return []


def run_inside(parent: str, name: str) -> str | None:
    """The run called `name` inside `parent` that began last; None where there is none. Raises ServiceError."""
    client = connect()
    experiment = client.get_run(parent).info.experiment_id
    wanted = f"tags.`{PARENT}` = '{parent}' and attributes.run_name = '{name}'"
    found = client.search_runs([experiment], wanted, max_results=1, order_by=["attributes.start_time DESC"])
    return str(found[0].info.run_id) if found else None


@contextmanager
def restored_run(
    name: str, params: Mapping[str, object], paths: Iterable[Path], tags: Mapping[str, str]
) -> Iterator[TrackedRun]:
    """A nested run for a stage whose result was restored, not computed. Raises ServiceError."""
    client = connect()
    described = _described(name) | _inherited(client, os.environ.get(PARENT_VARIABLE)) | dict(tags)
    run = TrackedRun(client, "", opening=_opening(name, described, params, paths))
    run.tokens_a_step = _tokens_a_step(name, params)
    with _ended(_begun(run)):
        yield run


def sweep(client: MlflowClient) -> None:
    """Mark as KILLED the runs whose process ended without recording a status."""
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


def tell_what_came_of_it(run: TrackedRun, stages: Iterable[str], root: Path) -> None:
    """Log the headlines of these stages, the input data and dvc.lock to a pipeline run."""
    run.log_metrics(headlines(stages, root), 0)
    run.log_inputs(inputs_of(_data_paths()))
    if (root / "dvc.lock").is_file():
        run.log_text("dvc.lock", (root / "dvc.lock").read_text(encoding="utf-8"))
    run.flush()


def _begin_pipeline(client: MlflowClient, name: str, tags: Mapping[str, str]) -> TrackedRun:
    """A parent run with all that is known at its beginning."""
    found = git_tags()
    driver = tags.get(_DRIVER_TAG, name)
    described = {"mlflow.source.name": driver.partition("|")[0], "mlflow.source.type": "LOCAL"} | _seed() | found
    run = TrackedRun(client, "", opening=_opening(name, described | dict(tags), flat_params(), []))
    _begun(run)
    run.log_text(ENVIRONMENT, environment_text())
    if found.get("git.dirty") == "true":
        run.log_text("git.diff", git_diff())
    return run


def _begun(run: TrackedRun) -> TrackedRun:
    if not run.begin():
        raise ServiceError(f"MLflow at {store_name()} refuses the run", "see the line above")
    return run


@contextmanager
def _ended(run: TrackedRun) -> Iterator[TrackedRun]:
    """End the run with the block: FINISHED, FAILED, or KILLED by an interruption."""
    status = "KILLED"
    try:
        yield run
        status = "FINISHED"
    except Exception:
        status = "FAILED"
        raise
    finally:
        run.finish(status)


def _reach() -> tuple[MlflowClient | None, str | None, bool]:
    """A client, the parent run's id, and whether the stages of a plain `dvc repro` share that parent.

    No client where the store is unreachable in the middle of a pipeline run. Raises ServiceError where it was never
    reachable.
    """
    begun = os.environ.get(PARENT_VARIABLE)
    try:
        client = connect()
        deliver(client)
        sweep(client)
        return client, *((begun, False) if begun else _shared_parent(client))
    # MLflow passes on every error of the store's driver.
    except Exception as error:
        if begun:
            return None, begun, False
        if isinstance(error, ServiceError):
            raise
        raise ServiceError(f"MLflow at {store_name()} does not answer: {first_line(error)[:200]}") from None


def _shared_parent(client: MlflowClient) -> tuple[str | None, bool]:
    """The parent run of the `dvc` command that runs this stage; the first stage starts it."""
    pid = dvc_pid()
    if pid is None:
        return None, False
    process = driver = _process(pid)
    # One process of DVC may run several experiments, one after the other.
    driver += os.environ.get("DVC_EXP_NAME", "")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], f"tags.`lianzi.dvc` = '{driver}'", max_results=1)
    if found:
        client.update_run(found[0].info.run_id, status="RUNNING")
        return str(found[0].info.run_id), True
    tags = {_DRIVER_TAG: "dvc repro", "lianzi.dvc": driver, _PROCESS_TAG: process}
    return _begin_pipeline(client, run_name(), tags).id, True


def _tell_parent(client: MlflowClient, parent: str, stages: list[str]) -> None:
    """Log to the shared parent that a stage has ended, and its inputs."""
    run = TrackedRun(client, parent)
    try:
        known = client.get_run(parent).data.metrics
    except Exception:
        # The store is unreachable: the stage's own run says so, and saves its record.
        return
    run.log_metrics({name: value for name, value in headlines(stages, Path()).items() if known.get(name) != value}, 0)
    run.log_inputs(inputs_of(_data_paths()))
    run.flush()


def _opening(name: str, tags: Mapping[str, str], params: Mapping[str, object], paths: Iterable[Path]) -> Opening:
    described = {_PROCESS_TAG: _process(os.getpid()), "mlflow.runName": name} | _user() | dict(tags)
    return Opening(name, described, {key: str(value) for key, value in params.items()}, inputs_of(paths))


def _described(name: str) -> dict[str, str]:
    """The tags that identify runs of a stage."""
    stage, _, task = name.partition("@")
    return {"stage": stage} | ({"task": task} if task else {}) | _seed()


def _inherited(client: MlflowClient | None, parent: str | None) -> dict[str, str]:
    """The tags that a run takes from its parent: the parent's id, and the state of the work tree at its beginning."""
    if parent is None:
        return git_tags()
    found = {PARENT: parent}
    if client is None:
        return found | git_tags()
    try:
        tags = client.get_run(parent).data.tags
    except Exception:
        # The parent was deleted, or the store has just become unreachable.
        return found | git_tags()
    return found | {name: tags[name] for name in GIT_TAGS if name in tags}


def _carry_on(client: MlflowClient | None, run_id: str, tags: Mapping[str, str]) -> bool:
    """Resume a run in this process: its status is RUNNING again. False where it no longer exists."""
    from mlflow.exceptions import MlflowException

    if client is None:
        return True
    try:
        client.update_run(run_id, status="RUNNING")
        for name, value in {**tags, _PROCESS_TAG: _process(os.getpid())}.items():
            client.set_tag(run_id, name, value)
    except MlflowException:
        return False
    return True


def _started(client: MlflowClient | None, run_id: str) -> float:
    """When a run began, in seconds since 1970; now, where MLflow cannot say."""
    try:
        assert client is not None
        return float(client.get_run(run_id).info.start_time) / 1000
    # MLflow hands on whatever the store's driver raises.
    except Exception:
        return time.time()


def _tokens_a_step(stage: str, params: Mapping[str, object]) -> int:
    """The tokens of the windows that a step of pretraining reads; 0 of another stage, whose batches have no fixed
    number of them. `tokens_seen` is the objective's own count, another where it reads cuts of them.
    """
    sizes = [params.get(f"pretrain.{name}") for name in ("batch_size", "sequence_length")]
    if stage != "pretrain" or not all(isinstance(size, int) for size in sizes):
        return 0
    return math.prod(int(str(size)) for size in sizes)


def _seed() -> dict[str, str]:
    seed = flat_params().get("seed")
    return {} if seed is None else {"seed": str(seed)}


def _user() -> dict[str, str]:
    try:
        return {"mlflow.user": getpass.getuser()}
    except (ImportError, KeyError, OSError):
        # The user of a container may have no name.
        return {}


def _data_paths() -> list[Path]:
    """The inputs of the models: raw data, corpus, labelled rows."""
    return [Path("data"), Path("artifacts/corpus"), *sorted(Path("artifacts/tasks").glob("*"))]


def _process(pid: int) -> str:
    import psutil

    return f"{socket.gethostname()}|{pid}|{psutil.Process(pid).create_time():.2f}"
