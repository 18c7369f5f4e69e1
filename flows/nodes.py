"""The nodes of the flow: a stage brought up to date through DVC once there is room for it, and a task's release."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, Failed, State

from components import tracking
from components.errors import LianziError
from components.evaluation.rungs import system_of
from flows import release as releasing
from flows.dvc_repro import TIMED_OUT, TRANSIENT, reproduce, stop_running
from flows.graph import Stage
from flows.scheduling import notices
from flows.scheduling.assets import describe_assets, failed
from flows.scheduling.gpu_pool import GpuPool
from flows.stage_queue import StageQueue
from flows.summary import StageResult, key_metric

RETRY_SECONDS = [15.0, 60.0]
"""The pauses before a stage is tried once more."""
STATES = {"ran": "Completed", "restored": "Restored", "cached": "Cached"}
"""Outcome -> the name of a node's state. `Cached` is Prefect's word for what changes no asset; a stage that is restored
changes its outputs."""


@dataclass(eq=False)
class StageFailed(Exception):
    """The last lines that a failed stage printed, and whether it may succeed if it is tried again."""

    reason: str
    transient: bool = False

    def __str__(self) -> str:
        return self.reason


class Slots:
    """Limits the number of parallel stages, and their time; when stopped, it ends them and starts no other.

    Trainings that the workers of `pool` carry out need no slot: how many go on at a time is a matter of the workers.
    """

    def __init__(self, count: int, minutes: float | None = None) -> None:
        self._queue = StageQueue(count)
        self._stopped = False
        self.pool: GpuPool | None = None
        self.seconds = minutes * 60 if minutes is not None else None

    def expect(self, stages: Iterable[Stage]) -> None:
        """The stages of the run that are not fresh, or need one that is not."""
        due = {stage.name: stage for stage in stages}
        needs = {name: [need for need in stage.needs if need in due] for name, stage in due.items()}
        self._queue.expect(needs, aside=[name for name, stage in due.items() if self.pool and stage.trains])

    @contextlib.contextmanager
    def turn(self, stage: Stage) -> Iterator[GpuPool | None]:
        """What runs the stage: the pool that trains, or this process once a slot is free.

        Raises StageFailed where no stage is to begin any more.
        """
        pool = self.pool if stage.trains else None
        with self._queue.place(stage.name) if pool is None else contextlib.nullcontext():
            if self._stopped:
                raise StageFailed("stopped before it began")
            yield pool

    def done(self, stage: Stage) -> None:
        """The stage is up to date: those that need it may begin."""
        self._queue.done(stage.name)

    @property
    def stopped(self) -> bool:
        return self._stopped

    def stop(self) -> None:
        self._stopped = True
        stop_running()


def _may_pass(_: object, __: object, state: State[Any]) -> bool:
    """Whether to try a stage again: after what passes by itself, never after a user error."""
    return isinstance(state.data, StageFailed) and state.data.transient


NO_RESULTS: dict[str, Any] = {"persist_result": False, "cache_policy": NO_CACHE}
"""Options of a node: what it makes is DVC's to keep."""
RETRIED: dict[str, Any] = {
    "retries": len(RETRY_SECONDS),
    "retry_delay_seconds": RETRY_SECONDS,
    "retry_condition_fn": _may_pass,
}


def bring_up_to_date(stage: Stage, root: Path, slots: Slots, run_id: str) -> State[StageResult]:
    """A node: DVC runs the stage once a slot is free, or a worker of the pool that trains."""
    logger = get_run_logger()
    last: list[str] = []

    def heard(line: str) -> None:
        logger.info(line)
        print(f"[{stage.name}] {line}", flush=True)
        last.append(line)

    with slots.turn(stage) as pool:
        print(f"[{stage.name}] …" if pool is None else f"[{stage.name}] … in the work pool {pool.name}", flush=True)
        began = time.monotonic()
        if pool is None:
            code, outcome = reproduce(stage.name, root, heard, slots.seconds)
        else:
            code, outcome = pool.reproduce(stage.name, heard, slots.seconds)
        seconds = time.monotonic() - began
    if code != 0:
        state = _failed(stage.name, outcome, last, slots)
        describe_assets(stage, root, run_id, failed(str(state.message)), logger)
        return state
    slots.done(stage)
    describe_assets(stage, root, run_id, {"outcome": outcome, "seconds": round(seconds, 1)}, logger)
    result = StageResult(stage.name, outcome, seconds, key_metric(stage.name, root))
    return Completed(name=STATES[outcome], data=result, message=f"{outcome} in {seconds:.1f} s")


def _failed(stage: str, outcome: str, lines: list[str], slots: Slots) -> State[StageResult]:
    """The state of a stage that failed, with the reason."""
    reason = _reason(lines)
    if outcome == TIMED_OUT and slots.seconds is not None:
        reason = f"error: {stage}: ended after {slots.seconds / 60:g} minutes (stage_minutes); its last line: {reason}"
    elif outcome in TRANSIENT:
        reason = f"{stage} {outcome}: {reason}"
    transient = outcome in TRANSIENT and not slots.stopped
    if transient:
        print(f"[{stage}] {outcome}; after a pause it is tried again, {len(RETRY_SECONDS)} times at most", flush=True)
    return Failed(message=reason, data=StageFailed(reason, transient))


def _reason(lines: list[str]) -> str:
    errors = [line for line in lines if line.startswith("error:")]
    return (errors or lines or ["no output"])[-1]


def note_cached(stage: Stage, root: Path) -> State[StageResult]:
    """A node that DVC calls fresh."""
    return Completed(name="Cached", data=StageResult(stage.name, "cached", 0.0, key_metric(stage.name, root)))


@task(**NO_RESULTS)
def release(name: str, root: Path, run_id: str, notify: str) -> State[StageResult]:
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
    word = "released" if verdict.champion else "not released"
    notices.notify(notify, f"lianzi: {root.name}: {name} {word}", verdict.line, get_run_logger())
    print(f"[release@{name}] {verdict.line}", flush=True)
    result = StageResult(f"release@{name}", "ran", time.monotonic() - began, ("version", float(verdict.version)))
    return Completed(data=result, message=verdict.line)


def _tell_what_shipped(nested: tracking.TrackedRun, verdict: releasing.Verdict, root: Path, run_id: str) -> None:
    """Log the released version to the release's run and to the pipeline run."""
    shipped = tracking.shipped_headlines(verdict.task, system_of(verdict.rung), root)
    nested.log_metrics({"version": verdict.version} | shipped, 0)
    whole = tracking.TrackedRun(nested.client, run_id)
    whole.log_metrics(shipped, 0)
    whole.flush()
