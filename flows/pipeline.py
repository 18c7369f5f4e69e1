"""The pipeline as a Prefect flow: a task a stage of dvc.yaml, each brought up to date through DVC."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Semaphore
from typing import Annotated, Any

from flows import env_defaults

env_defaults.prepare()

from prefect import flow, get_run_logger, task  # noqa: E402
from prefect.cache_policies import NO_CACHE  # noqa: E402
from prefect.futures import PrefectConcurrentFuture  # noqa: E402
from prefect.runtime import flow_run  # noqa: E402
from prefect.states import Completed, Failed, State  # noqa: E402
from prefect.task_runners import ThreadPoolTaskRunner  # noqa: E402
from pydantic import Field  # noqa: E402

from components import tracking  # noqa: E402
from components.errors import LianziError, ParameterError  # noqa: E402
from components.evaluation.rungs import system_of  # noqa: E402
from components.lease import turn  # noqa: E402
from flows import release as releasing  # noqa: E402
from flows.graph import Stage, order_lock, read_graph, reproduce, stop_running  # noqa: E402
from flows.inputs import note_inputs  # noqa: E402
from flows.record import record_missing  # noqa: E402
from flows.settings import ready_project  # noqa: E402
from flows.summary import StageResult, key_metric  # noqa: E402


@dataclass(frozen=True)
class StageFailed(Exception):
    """The last lines that a failed stage printed."""

    reason: str

    def __str__(self) -> str:
        return self.reason


class Slots:
    """Limits the number of parallel stages; when stopped, it ends them and starts no other."""

    def __init__(self, count: int) -> None:
        self._free = Semaphore(count)
        self._stopped = False

    def __enter__(self) -> None:
        self._free.acquire()
        if self._stopped:
            self._free.release()
            raise StageFailed("stopped before it began")

    def __exit__(self, *_: object) -> None:
        self._free.release()

    def stop(self) -> None:
        self._stopped = True
        stop_running()


# The bound on `parallel` is for the server, which refuses others before a run is made. The flow checks its parameters
# itself: Prefect's own check ends in a traceback, and knows nothing of projects.
@flow(name="pipeline", flow_run_name=lambda: _run_name(), validate_parameters=False)
def pipeline(root: str = ".", parallel: Annotated[int, Field(ge=1)] = 2) -> list[StageResult]:
    """Bring every stage up to date, `parallel` at a time, then release each task's bundle, one after another.

    A failed stage stops those that need it; the others finish. Raises LianziError naming the failed ones, or what
    is wrong with the parameters or the project: before any work.
    """
    for name in ("prefect.flow_runs", "prefect.engine"):
        logging.getLogger(name).addFilter(_is_no_mistake)
    try:
        return _run(root, parallel)
    except LianziError as error:
        get_run_logger().error(str(error))
        raise


def _run_name() -> str:
    """What a run is for, and when it began: its name in MLflow too."""
    folder = flow_run.parameters.get("root")
    if not isinstance(folder, str | Path) or not Path(folder).is_dir():
        return "pipeline"  # refused in a moment
    with contextlib.chdir(folder):
        return tracking.run_name()


def _is_no_mistake(record: logging.LogRecord) -> bool:
    """The flow logs a user error in its own lines; a bug keeps Prefect's traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], LianziError))


def _run(root: str, parallel: int) -> list[StageResult]:
    if not isinstance(parallel, int) or isinstance(parallel, bool) or parallel < 1:
        raise ParameterError(f"parallel: {parallel}: not a number of stages", "set it to 1 or more")
    folder, _ = ready_project(root)
    named = flow_run.name or tracking.run_name()
    with turn(folder, "a scheduled run"), tracking.pipeline_run(named, {"lianzi.driver": "lianzi run"}) as run:
        for line in note_inputs(folder):
            print(line, flush=True)
        # Read anew: another run may have had its turn since.
        results = _submit(read_graph(folder), folder, Slots(parallel), run.id)
        _tell_what_came_of_it(run, results, folder)
        failed = [result.name for result in results if result.state == "failed"]
        if failed:
            raise PipelineFailed(results)
    return results


def _tell_what_came_of_it(run: tracking.TrackedRun, results: list[StageResult], root: Path) -> None:
    """Log the headlines to MLflow's pipeline run, and create runs for the stages that did not run here.

    Seconds are in the stages' own runs: here they would hide the metrics by which pipeline runs are compared.
    """
    done = [result.name for result in results if result.state not in ("failed", "not run")]
    tracking.tell_what_came_of_it(run, done, root)
    record_missing(root, run.id)


def _tell_what_shipped(nested: tracking.TrackedRun, verdict: releasing.Verdict, root: Path, run_id: str) -> None:
    """Log the released version to the release's run and to the pipeline run."""
    shipped = tracking.shipped_headlines(verdict.task, system_of(verdict.rung), root)
    nested.log_metrics({"version": verdict.version} | shipped, 0)
    whole = tracking.TrackedRun(nested.client, run_id)
    whole.log_metrics(shipped, 0)
    whole.flush()


class PipelineFailed(LianziError):
    """A stage failed; `results` has the outcome of all others."""

    def __init__(self, results: list[StageResult]) -> None:
        self.results = results
        failed = ", ".join(result.name for result in results if result.state == "failed")
        super().__init__(f"failed: {failed}", "mend what its lines above say, then run again: finished stages are kept")


@task(persist_result=False, cache_policy=NO_CACHE)
def bring_up_to_date(stage: Stage, root: Path, slots: Slots) -> State[StageResult]:
    """One node: DVC runs the stage once a slot is free."""
    logger = get_run_logger()
    last: list[str] = []

    def heard(line: str) -> None:
        logger.info(line)
        print(f"[{stage.name}] {line}", flush=True)
        last.append(line)

    with slots:
        print(f"[{stage.name}] …", flush=True)
        began = time.monotonic()
        code, outcome = reproduce(stage.name, root, heard)
        seconds = time.monotonic() - began
    if code != 0:
        return Failed(message=_reason(last), data=StageFailed(_reason(last)))
    result = StageResult(stage.name, outcome, seconds, key_metric(stage.name, root))
    name = "Completed" if outcome == "ran" else "Cached"
    return Completed(name=name, data=result, message=f"{outcome} in {seconds:.1f} s")


@task(persist_result=False, cache_policy=NO_CACHE)
def note_cached(stage: Stage, root: Path, slots: Slots) -> State[StageResult]:
    """A node that DVC calls fresh."""
    return Completed(name="Cached", data=StageResult(stage.name, "cached", 0.0, key_metric(stage.name, root)))


@task(persist_result=False, cache_policy=NO_CACHE)
def release(name: str, root: Path, run_id: str) -> State[StageResult]:
    """Register the task's bundle and decide whether it becomes the champion."""
    began = time.monotonic()
    try:
        with tracking.nested_run(f"release@{name}", {"stage": "release", "task": name}, run_id) as nested:
            verdict = releasing.release(name, root, nested.id)
            _tell_what_shipped(nested, verdict, root, run_id)
    except LianziError as error:
        print(f"[release@{name}] error: {error}", flush=True)
        return Failed(message=str(error), data=StageFailed(str(error)))
    get_run_logger().info(verdict.line)
    print(f"[release@{name}] {verdict.line}", flush=True)
    result = StageResult(f"release@{name}", "ran", time.monotonic() - began, ("version", float(verdict.version)))
    return Completed(data=result, message=verdict.line)


def _submit(stages: list[Stage], root: Path, slots: Slots, run_id: str) -> list[StageResult]:
    """Submit every stage behind those it needs and wait for all of them.

    A task that waits for another holds its thread, so there is a thread for each; the slots bound the work.
    """
    runner: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=2 * len(stages))
    futures: dict[str, PrefectConcurrentFuture[Any]] = {}
    stale: set[str] = set()
    with runner:
        for stage in stages:
            needs = [futures[name] for name in stage.needs]
            if stage.fresh and not stale.intersection(stage.needs):
                work = note_cached
            else:
                stale.add(stage.name)
                work = bring_up_to_date
            named = work.with_options(name=stage.name, task_run_name=stage.name)
            futures[stage.name] = runner.submit(named, {"stage": stage, "root": root, "slots": slots}, wait_for=needs)
        try:
            _await(list(futures.values()))
            # Once no stage runs any more, and in turn: a release decides by timings, which bear no company.
            for name in _evaluated_tasks(root, futures):
                named_release = release.with_options(name=f"release@{name}", task_run_name=f"release@{name}")
                parameters = {"name": name, "root": root, "run_id": run_id}
                futures[f"release@{name}"] = runner.submit(
                    named_release, parameters, wait_for=[futures[f"evaluate@{name}"]]
                )
                _await([futures[f"release@{name}"]])
        except BaseException:
            slots.stop()
            raise
    order_lock(root)
    return [_result(name, future) for name, future in futures.items()]


def _await(futures: list[PrefectConcurrentFuture[Any]]) -> None:
    """Wait in intervals of a second: an unlimited wait would miss Ctrl-C when another thread gets the signal."""
    for future in futures:
        while not future.wrapped_future.done():
            future.wait(timeout=1)
        future.wait()


def _evaluated_tasks(root: Path, futures: dict[str, PrefectConcurrentFuture[Any]]) -> list[str]:
    return [name for name in releasing.task_names(root) if f"evaluate@{name}" in futures]


def _result(name: str, future: PrefectConcurrentFuture[Any]) -> StageResult:
    state = future.state
    if state.is_completed():
        return future.result()
    if state.is_failed() or state.is_crashed():
        return StageResult(name, "failed", 0.0, None, str(state.message or ""))
    return StageResult(name, "not run", 0.0, None)


def _reason(lines: list[str]) -> str:
    errors = [line for line in lines if line.startswith("error:")]
    return (errors or lines or ["no output"])[-1]
