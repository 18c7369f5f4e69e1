"""The stages of a suite's project, by DVC: tasks' chains side by side."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from flows.dvc_repro import reproduce, stop_running
from flows.forked_stages import forked_stages
from flows.graph import Stage, read_graph
from flows.lock_file import order_lock

LAST, TEACHER = "evaluate", "finetune"
"""The stage that a task's chain ends with; of a teacher alone the second."""


def wanted_stages(project: Path, tasks: Collection[str], teacher_only: bool) -> list[Stage]:
    """The stages that the tasks need, each after those it needs."""
    with contextlib.chdir(project):  # DVC names stages as they are seen from where one stands
        stages = read_graph(project)
    known = {stage.name: stage for stage in stages}
    waiting = [f"{TEACHER if teacher_only else LAST}@{task}" for task in tasks]
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += known[name].needs
    return [stage for stage in stages if stage.name in needed]


def run_stages(
    project: Path,
    tasks: Collection[str],
    teacher_only: bool,
    parallel: int,
    variables: Mapping[str, str],
    say: Callable[[str], None],
) -> dict[str, str]:
    """Bring the stages up to date, `parallel` at a time. Returns the reason of each that failed; what needs it is left
    out, the others finish. Fresh stages take no time."""
    stages = wanted_stages(project, tasks, teacher_only)
    work = [stage for stage in stages if not stage.name.endswith(".dvc")]
    failed: dict[str, str] = {}
    ran: set[str] = set()
    done = {stage.name for stage in stages if stage not in work}
    running: dict[Future[str], Stage] = {}
    stale = any(not stage.fresh for stage in work)
    with forked_stages(project, needed=stale), ThreadPoolExecutor(parallel) as pool:
        try:
            while work or running:
                for stage in [stage for stage in work if done.issuperset(stage.needs)]:
                    work.remove(stage)
                    if stage.fresh and ran.isdisjoint(stage.needs):
                        done.add(stage.name)
                    else:
                        running[pool.submit(_reproduce, stage, project, variables, say)] = stage
                if not running:
                    if not any(done.issuperset(stage.needs) for stage in work):
                        break  # the rest needs what failed
                    continue
                # In intervals: an unlimited wait would miss Ctrl-C.
                finished, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
                for future in finished:
                    stage = running.pop(future)
                    if reason := future.result():
                        failed[stage.name] = reason
                        say(f"[{stage.name}] failed: {reason}")
                    else:
                        done.add(stage.name)
                        ran.add(stage.name)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # what waits for its turn is not to begin now
            stop_running()
            raise
    with contextlib.chdir(project):
        order_lock(project)
    return failed


def is_stale(project: Path, tasks: Collection[str], teacher_only: bool) -> bool:
    """Whether a stage of theirs has work to do."""
    return not all(stage.fresh for stage in wanted_stages(project, tasks, teacher_only))


def workers(parallel: int | None) -> int:
    return parallel or min(os.cpu_count() or 1, 2)


def _reproduce(stage: Stage, project: Path, variables: Mapping[str, str], say: Callable[[str], None]) -> str:
    """Why it failed; nothing where it did not."""
    lines: list[str] = []
    say(f"[{stage.name}] …")
    code, outcome = reproduce(stage.name, project, lines.append, variables=variables)
    if code == 0:
        last = f": {lines[-1]}" if lines and outcome == "ran" else ""
        say(f"[{stage.name}] {outcome}{last}")
        return ""
    errors = [line for line in lines if line.startswith("error:")] or lines[-1:] or ["no output"]
    return errors[-1].removeprefix("error: ")
