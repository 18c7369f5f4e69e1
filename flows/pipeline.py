"""The pipeline as a Prefect flow: a task a stage of dvc.yaml, each brought up to date through DVC."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from flows import env_defaults

env_defaults.prepare()

from prefect import flow, get_run_logger, task  # noqa: E402
from prefect.exceptions import Abort  # noqa: E402
from prefect.futures import PrefectConcurrentFuture  # noqa: E402
from prefect.runtime import deployment, flow_run  # noqa: E402
from prefect.states import Completed  # noqa: E402
from prefect.task_runners import ThreadPoolTaskRunner  # noqa: E402
from pydantic import Field  # noqa: E402

from components import tracking  # noqa: E402
from components.errors import LianziError, ParameterError  # noqa: E402
from components.lease import at_work, turn  # noqa: E402
from components.variables import GPU_POOL, gpu_wait_seconds  # noqa: E402
from flows import release as releasing  # noqa: E402
from flows.forked_stages import forked_stages  # noqa: E402
from flows.graph import Stage, read_graph  # noqa: E402
from flows.lock_file import order_lock  # noqa: E402
from flows.nodes import NO_RESULTS, RETRIED, Slots, bring_up_to_date, note_cached, release  # noqa: E402
from flows.quoted import without_data  # noqa: E402
from flows.record import record_missing  # noqa: E402
from flows.releasing.considered import is_current  # noqa: E402
from flows.scheduling import notices  # noqa: E402
from flows.scheduling.admission import SKIPPED, no_work, own_turn  # noqa: E402
from flows.scheduling.assets import node  # noqa: E402
from flows.scheduling.deployments import require_server  # noqa: E402
from flows.scheduling.gpu_pool import GpuPool  # noqa: E402
from flows.scheduling.overrides import prepared  # noqa: E402
from flows.scheduling.run_pages import publish  # noqa: E402
from flows.settings import project_folder, ready_project, what_if  # noqa: E402
from flows.summary import StageResult, key_metric  # noqa: E402
from flows.temporary_server import end_with_this_process  # noqa: E402


# The bound on `parallel` is for the server, which refuses others before a run is made. The flow checks its parameters
# itself: Prefect's own check ends in a traceback, and knows nothing of projects.
@flow(name="pipeline", flow_run_name=lambda: _run_name(flow_run.parameters), validate_parameters=False)
def pipeline(
    root: str = ".",
    parallel: Annotated[int, Field(ge=1)] = 2,
    settings: list[str] | None = None,
    only_on_new_data: bool = False,
    only_on_drift: bool = False,
    stage_minutes: Annotated[float | None, Field(gt=0)] = None,
    notify: str = "",
    gpu_pool: str = "",
) -> list[StageResult]:
    """Bring every stage up to date, `parallel` at a time, then release each task's bundle, one after another.

    `settings`: KEY=VALUE, in params.yaml while this run goes on. `only_on_new_data`: without new data there is no work.
    `only_on_drift`: without drift of what the servers are asked, and new rows, there is none; canaries are judged.
    `stage_minutes`: the longest that a stage may take; then all its processes are ended. `notify`: a block TYPE/NAME
    that tells of failures, refusals and releases. `gpu_pool`: the work pool that trains, instead of LIANZI_GPU_POOL in
    the environment; without either the run trains by itself.

    A failed stage stops those that need it; the others finish. Raises LianziError naming the failed ones, or what is
    wrong with the parameters or the project: before any work.
    """
    end_with_this_process()
    for name in ("prefect.flow_runs", "prefect.engine"):
        logging.getLogger(name).addFilter(_is_no_mistake)
    try:
        folder = _checked(root, parallel, settings or [], stage_minutes)
        trainers = _checked_pool(gpu_pool or os.environ.get(GPU_POOL, ""))
        if deployment.id and at_work(folder) == own_turn():
            # A server that was locked or away may have taken its process for dead. That one ends the run; no state of
            # this second start is to.
            raise Abort(f"run {flow_run.id} is at work in another process already")
        if deployment.id and (why := no_work(folder, only_on_new_data, only_on_drift, settings or [], notify)):
            get_run_logger().info(f"nothing to do: {why}")
            # Prefect unwraps a state that a flow returns.
            return Completed(name=SKIPPED, message=why, data=[])  # type: ignore[return-value]
        return _run(folder, Slots(parallel, stage_minutes), settings or [], notify, trainers)
    except LianziError as error:
        get_run_logger().error(str(error))
        _tell_of_failure(error, root, notify)
        raise


def _tell_of_failure(error: LianziError, root: object, block: str) -> None:
    """A message: each failed stage with its reason, what to do next, and where the log is. It quotes no data."""
    reasons = [
        f"{result.name}: {result.reason}" for result in getattr(error, "results", []) if result.state == "failed"
    ]
    subject = f"lianzi: {Path(str(root)).name}: {without_data(str(error).splitlines()[0])}"
    told = [without_data(line) for line in (*reasons, str(error))]
    notices.notify(block, subject, "\n".join([*told, flow_run.ui_url or ""]), get_run_logger())


def _run_name(parameters: Mapping[str, Any]) -> str:
    """What a run is for, and when it began: its name in MLflow too."""
    folder, settings = parameters.get("root"), parameters.get("settings")
    if not isinstance(folder, str | Path) or not Path(folder).is_dir():
        return "pipeline"  # refused in a moment
    with contextlib.chdir(folder):
        # What is no list of texts is refused in a moment, too.
        return tracking.run_name(
            [one for one in settings if isinstance(one, str)] if isinstance(settings, list) else ()
        )


def _is_no_mistake(record: logging.LogRecord) -> bool:
    """The flow logs a user error in its own lines; a bug keeps Prefect's traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], LianziError))


def _checked(root: object, parallel: object, settings: object, minutes: object) -> Path:
    """The project's folder. Raises ParameterError where a parameter of the flow means nothing."""
    if minutes is not None and (not isinstance(minutes, int | float) or isinstance(minutes, bool) or minutes <= 0):
        raise ParameterError(f"stage_minutes: {minutes}: not a time", "set it to more than 0, or leave it out")
    if not isinstance(parallel, int) or isinstance(parallel, bool) or parallel < 1:
        raise ParameterError(f"parallel: {parallel}: not a number of stages", "set it to 1 or more")
    if not isinstance(settings, list) or not all(isinstance(setting, str) for setting in settings):
        raise ParameterError(f"settings: {settings}: not a list", 'for example ["finetune.epochs=1"]')
    folder = project_folder(root)
    what_if(folder / "params.yaml", tuple(settings))
    return folder


def _checked_pool(name: object) -> str:
    """The work pool that trains; "" for none. Raises LianziError where it is no name, or no server could know it."""
    if not isinstance(name, str):
        raise ParameterError(f"gpu_pool: {name}: not the name of a work pool", "`prefect work-pool ls` lists them")
    if name:
        gpu_wait_seconds()
        require_server()
    return name


def _run(folder: Path, slots: Slots, settings: list[str], notify: str, trainers: str) -> list[StageResult]:
    if not settings:
        ready_project(folder)  # before it waits for its turn
    tags = {"lianzi.driver": "lianzi run", "prefect.flow_run_id": str(flow_run.id)}
    tags |= {"lianzi.settings": " ".join(settings)} if settings else {}
    with turn(folder, own_turn()), prepared(folder, settings):
        stages = read_graph(folder)  # another run may have had its turn since
        if all(stage.fresh for stage in stages) and is_current(folder):
            record_missing(folder)
            get_run_logger().info("nothing to do: every stage is fresh and every model considered")
            return [StageResult(stage.name, "cached", 0.0, key_metric(stage.name, folder)) for stage in stages]
        named = flow_run.name or tracking.run_name()
        stale = any(not stage.fresh for stage in stages)  # else a release alone is due
        with tracking.pipeline_run(named, tags) as run, forked_stages(folder, needed=stale):
            if trainers:
                slots.pool = GpuPool(trainers, folder, str(flow_run.id), run.id, lambda: slots.stopped)
            results = _submit(stages, folder, slots, run.id, notify)
            _tell_what_came_of_it(run, results, folder)
            publish(folder, run, results, get_run_logger())
            if any(result.state == "failed" for result in results):
                raise PipelineFailed(results)
    return results


def _tell_what_came_of_it(run: tracking.TrackedRun, results: list[StageResult], root: Path) -> None:
    """Log the headlines to MLflow's pipeline run, and create runs for the stages that did not run here.

    Seconds are in the stages' own runs: here they would hide the metrics by which pipeline runs are compared.
    """
    done = [result.name for result in results if result.state not in ("failed", "not run")]
    tracking.tell_what_came_of_it(run, done, root)
    record_missing(root, run.id)


class PipelineFailed(LianziError):
    """A stage failed; `results` has the outcome of all others."""

    def __init__(self, results: list[StageResult]) -> None:
        self.results = results
        failed = ", ".join(result.name for result in results if result.state == "failed")
        super().__init__(f"failed: {failed}", "mend what its lines above say, then run again: finished stages are kept")


def _submit(stages: list[Stage], root: Path, slots: Slots, run_id: str, notify: str) -> list[StageResult]:
    """Submit every stage behind those it needs and wait for all of them.

    A task that waits for another holds its thread, so there is a thread for each; the slots bound the work.
    """
    due = _due(stages)
    slots.expect(due)
    runner: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=2 * len(stages))
    futures: dict[str, PrefectConcurrentFuture[Any]] = {}
    with runner:
        for stage in stages:
            needs = [futures[name] for name in stage.needs]
            given: dict[str, Any] = {"stage": stage, "root": root}
            if stage in due:
                work = node(bring_up_to_date, stage, root, **NO_RESULTS, **RETRIED)
                given |= {"slots": slots, "run_id": run_id}
            else:
                work = task(name=stage.name, task_run_name=stage.name, **NO_RESULTS)(note_cached)
            futures[stage.name] = runner.submit(work, given, wait_for=needs)
        try:
            _await(list(futures.values()))
            # Once no stage runs any more, and in turn: a release decides by timings, which bear no company.
            for name in _evaluated_tasks(root, futures):
                named_release = release.with_options(name=f"release@{name}", task_run_name=f"release@{name}")
                parameters = {"name": name, "root": root, "run_id": run_id, "notify": notify}
                futures[f"release@{name}"] = runner.submit(
                    named_release, parameters, wait_for=_judged_by(name, futures)
                )
                _await([futures[f"release@{name}"]])
        except BaseException:
            slots.stop()
            raise
    order_lock(root)
    return [_result(name, future) for name, future in futures.items()]


def _due(stages: list[Stage]) -> list[Stage]:
    """The stages that are not fresh, or need one that is not."""
    due: dict[str, Stage] = {}
    for stage in stages:
        if not stage.fresh or not due.keys().isdisjoint(stage.needs):
            due[stage.name] = stage
    return list(due.values())


def _await(futures: list[PrefectConcurrentFuture[Any]]) -> None:
    """Wait in intervals of a second: an unlimited wait would miss Ctrl-C when another thread gets the signal."""
    for future in futures:
        while not future.wrapped_future.done():
            future.wait(timeout=1)
        future.wait()


def _evaluated_tasks(root: Path, futures: dict[str, PrefectConcurrentFuture[Any]]) -> list[str]:
    return [name for name in releasing.task_names(root) if f"evaluate@{name}" in futures]


def _judged_by(name: str, futures: dict[str, PrefectConcurrentFuture[Any]]) -> list[PrefectConcurrentFuture[Any]]:
    """What a release reads the metrics of: a release of an earlier analysis would not be one of this model."""
    return [futures[stage] for stage in (f"evaluate@{name}", f"analyze@{name}") if stage in futures]


def _result(name: str, future: PrefectConcurrentFuture[Any]) -> StageResult:
    state = future.state
    if state.is_completed():
        return future.result()
    if state.is_failed() or state.is_crashed():
        return StageResult(name, "failed", 0.0, None, str(state.message or ""))
    return StageResult(name, "not run", 0.0, None)
