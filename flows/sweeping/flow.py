"""A sweep as a Prefect flow: the stages that no parameter reaches once, then a task a trial."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import env_defaults

env_defaults.prepare()

from prefect import flow, task  # noqa: E402
from prefect.cache_policies import NO_CACHE  # noqa: E402
from prefect.futures import PrefectConcurrentFuture  # noqa: E402
from prefect.runtime import flow_run  # noqa: E402
from prefect.states import Completed, Failed, State  # noqa: E402
from prefect.task_runners import ThreadPoolTaskRunner  # noqa: E402

from components import tracking  # noqa: E402
from components.errors import LianziError  # noqa: E402
from flows.dvc_repro import reproduce, stop_running  # noqa: E402
from flows.forked_stages import forked_stages  # noqa: E402
from flows.sweeping import trees  # noqa: E402
from flows.sweeping.plan import Node, Plan, objective_of  # noqa: E402
from flows.sweeping.spec import LocatedFile  # noqa: E402
from flows.sweeping.study import Study  # noqa: E402
from flows.temporary_server import end_with_this_process  # noqa: E402

PRUNE_SECONDS = 2.0
"""Between two looks at a trial's curve."""
MOST_FAILURES = 3
"""Failed trials after which a sweep without a single result gives up."""


class SweepFailed(LianziError):
    """No trial can run."""


class Pruned(Exception):
    """The trial is behind the others."""


class StageFailed(Exception):
    """The reason that a stage gave."""


@dataclass(frozen=True)
class Sweep:
    """What every trial needs. commit: what their work trees start from; run: of the sweep in MLflow."""

    root: Path
    file: LocatedFile
    plan: Plan
    study: Study
    commit: str
    run: str


@flow(name="sweep", flow_run_name=lambda: f"sweep {flow_run.parameters['sweep'].file.name}", validate_parameters=False)
def run_sweep(sweep: Sweep) -> None:
    """Bring `plan.once` up to date, then run the trials that are missing. Raises LianziError."""
    end_with_this_process()
    project = trees.add_base(sweep.root, sweep.file.name, sweep.commit, sweep.plan)
    for node in sweep.plan.once:
        outcome = _stage(node, project, {tracking.PARENT_VARIABLE: sweep.run}, lambda _: None, sweep.root)
        print(f"[{node.name}] {outcome}, once for all trials", flush=True)
    runner: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=sweep.file.spec.parallel)
    with forked_stages(project), runner:
        try:
            _run_trials(sweep, runner)
        except BaseException:
            stop_running()
            raise
    trees.remove_tree(sweep.root, sweep.file.name, "base")


def _run_trials(sweep: Sweep, runner: ThreadPoolTaskRunner[Any]) -> None:
    study, spec = sweep.study, sweep.file.spec
    again = study.interrupted()
    running: dict[int, PrefectConcurrentFuture[Any]] = {}
    while True:
        while len(running) < spec.parallel and (again or study.asked() < spec.trials):
            number, values = study.ask(again.pop(0) if again else None)
            named = trial.with_options(name="trial", task_run_name=f"trial {number}")
            running[number] = runner.submit(named, {"sweep": sweep, "number": number, "values": values})
        if not running:
            return
        # In intervals: an unlimited wait would miss Ctrl-C when another thread gets the signal.
        wait([future.wrapped_future for future in running.values()], timeout=1, return_when=FIRST_COMPLETED)
        for number in [number for number, future in running.items() if future.wrapped_future.done()]:
            _tell(sweep, number, running.pop(number))


def _tell(sweep: Sweep, number: int, future: PrefectConcurrentFuture[Any]) -> None:
    """Tell the study how a trial ended. Here alone, so that trials are told one after another."""
    future.wait()
    state = future.state
    value = future.result() if state.is_completed() and state.name == "Completed" else None
    told = "done" if value is not None else "pruned" if state.is_completed() else "failed"
    if state.is_crashed():
        return  # stopped from outside: it runs again
    sweep.study.tell(number, value, told)
    result = f"{sweep.file.spec.objective.metric} {value:.6g}" if value is not None else told
    reason = f": {state.message}" if told == "failed" else ""
    print(f"[trial {number}] {result}{reason}", flush=True)
    trials = sweep.study.trials()
    if sum(one.state == "failed" for one in trials) >= MOST_FAILURES and all(one.state == "failed" for one in trials):
        raise SweepFailed(
            f"{sweep.file.path}: the first {len(trials)} trials failed: {state.message}",
            f"the last one's work tree is {trees.FOLDER}/{sweep.file.name}/trial-{number}",
        )


@task(persist_result=False, cache_policy=NO_CACHE)
def trial(sweep: Sweep, number: int, values: dict[str, Any]) -> State[Any]:
    """Run the stages that the parameters reach, in a work tree of the trial. Its data: the objective."""
    print(f"[trial {number}] {told_values(values)} …", flush=True)
    tags = {"lianzi.sweep": sweep.file.name, "lianzi.trial": str(number)}
    key = f"{sweep.study.key}/{number}"
    try:
        with tracking.resumable_run(f"trial {number}", key, tags, values, sweep.run) as run:
            try:
                value = _run_trial(sweep, number, values, run.id)
            except Pruned:
                run.client.set_tag(run.id, "lianzi.pruned", "true")  # type: ignore[union-attr]
                trees.remove_tree(sweep.root, sweep.file.name, f"trial-{number}")
                return Completed(name="Pruned", message="behind the median of the trials before")
            run.log_metrics({"objective": value, "trial": number}, 0)
    except (LianziError, StageFailed) as error:
        return Failed(message=str(error).partition("\n")[0])
    trees.remove_tree(sweep.root, sweep.file.name, f"trial-{number}")
    return Completed(data=value, message=f"{value:.6g}")


def told_values(values: dict[str, Any]) -> str:
    """Parameters in a line."""
    return ", ".join(f"{name} {_short(value)}" for name, value in values.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _run_trial(sweep: Sweep, number: int, values: dict[str, Any], run_id: str) -> float:
    project = trees.add_trial(sweep.root, sweep.file.name, sweep.commit, sweep.plan, number, values)
    for node in sweep.plan.each_time:
        _stage(node, project, {tracking.PARENT_VARIABLE: run_id}, _watch(sweep, number, run_id), sweep.root)
    outputs = trees.outputs_of(project, sweep.plan.each_time)
    sweep.study.note_outputs(number, outputs)
    objective = sweep.file.spec.objective
    return objective_of(project / objective.file, objective.metric)


def _watch(sweep: Sweep, number: int, run_id: str) -> Callable[[str], None]:
    """Looks at the curve in MLflow whenever the stage prints a line; raises Pruned."""
    pruner = sweep.file.spec.pruner
    looked = time.monotonic()

    def heard(line: str) -> None:
        nonlocal looked
        if pruner is None or time.monotonic() - looked < PRUNE_SECONDS:
            return
        looked = time.monotonic()
        points: list[tuple[int, float]] = []
        with contextlib.suppress(Exception):  # MLflow away: the trial runs whole
            points = tracking.curve_in(run_id, pruner.curve)
        if sweep.study.is_behind(number, points):
            raise Pruned

    return heard


def _stage(node: Node, project: Path, variables: dict[str, str], heard: Callable[[str], None], root: Path) -> str:
    """Raises StageFailed with its last line."""
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        heard(line)

    variables = variables | {
        "MLFLOW_TRACKING_URI": tracking.tracking_uri(),
        # Shared with the project: a trial that was killed goes on from its checkpoint.
        "LIANZI_CACHE": str(Path(os.environ.get("LIANZI_CACHE", root / ".cache")).absolute()),
    }
    code, outcome = reproduce(node.name, project, hear, variables=variables)
    if code != 0:
        errors = [line for line in lines if line.startswith("error:")] or lines[-1:] or ["no output"]
        raise StageFailed(f"{node.name}: {errors[-1].removeprefix('error: ')}")
    return outcome
