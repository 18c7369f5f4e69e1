"""A look at what the servers were asked: drift of the champion, the canary beside it, and what is to be done.

What is done: a canary that was no worse is champion, a worse one is declined; where the champion drifted and there are
new rows, the pipeline is to run, whose gates decide. A report is written each time, also when nothing has happened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components import tracking
from components.deployment.config import WatchConfig
from components.errors import ParameterError
from components.lease import lease
from components.modeling.kinds import GENERATES
from components.params import Params
from components.registry import Registry, Version, no_champion
from components.runtime.answers import answer_form
from components.tasks.rows import read_task
from flows.timing import one_at_a_time
from flows.watching.canary import Answer, Trial, judge_canary
from flows.watching.reference import answers_of, reference_of
from flows.watching.report import watch_lines, write_report
from flows.watching.requests import answered, log_files, logged
from flows.watching.retraining import note_drift, retraining
from flows.watching.windows import Watched, look

REQUESTS = Path(".lianzi/requests.jsonl")
FOLDER = Path(".lianzi/watch")
LOCK = Path(".lianzi/watch.lock")
BY = "canary"
LABELLED = ("label", "labels")
"""Forms of answers of which two are the same or not."""


@dataclass(frozen=True)
class Watch:
    """How to look. act: do what follows, or only say it; force: train again though nothing is new; run: the run that
    asks, "" without."""

    limits: WatchConfig
    log: Path = REQUESTS
    act: bool = False
    force: bool = False
    run: str = ""


@dataclass
class Outcome:
    """A task's look. drift: in a window of it; retrain: whether the pipeline is to run for it."""

    task: str
    version: int
    watched: Watched
    lines: list[str] = field(default_factory=list)
    drift: bool = False
    retrain: bool = False


def watch_tasks(root: Path, params: Params, tasks: Sequence[str], how: Watch) -> list[Outcome]:
    """Look at the given tasks, else at those of watch.tasks, or of params.yaml, that have a champion.

    Raises ParameterError for an unknown task, ArtifactError where one that was given has no champion, DataError for
    what is no log.
    """
    named = list(tasks or how.limits.tasks or params.tasks)
    if unknown := next((name for name in named if name not in params.tasks), None):
        raise ParameterError(f"watch: '{unknown}' is no task of params.yaml", f"known: {', '.join(params.tasks)}")
    if not tracking.store_exists():
        if tasks:
            raise no_champion(tasks[0])
        return []
    with lease(root / LOCK, "lianzi watch", -1, print):
        registry = Registry()
        champions = {name: registry.champion(name) for name in named}
        if tasks and (lacking := [name for name, one in champions.items() if one is None]):
            raise no_champion(lacking[0])
        rows = list(logged(log_files(root, how.log)))
        return [_look(root, name, one, registry, rows, how) for name, one in champions.items() if one is not None]


def _look(
    root: Path, task: str, champion: Version, registry: Registry, rows: Sequence[dict[str, Any]], how: Watch
) -> Outcome:
    folder, version = root / FOLDER / task, champion.version
    bundle = registry.bundle(task, version)
    reference = reference_of(root, task, bundle, folder / "reference.json")
    own = [row for row in rows if row["model"] == task]
    size, rate = how.limits.window, how.limits.false_alarm_rate
    replied = [row for row in own if answered(row)]
    watched = look(replied, task, str(version), reference, size, rate, folder / "state.json")
    outcome = Outcome(task, version, watched, watch_lines(task, str(version), watched, size))
    drifted = [window for window in watched.windows if window.drift]
    if drifted:
        outcome.drift = True
        note_drift(folder, version, drifted[0].begin)
    challenger = registry.challenger(task)
    if challenger is not None:  # one model after the other: nothing is trained meanwhile
        ask = _asking(root, task, bundle)
        trial = judge_canary(own, str(version), str(challenger.version), how.limits, ask)
        outcome.lines += [f"{task}: {trial.line}", *_after_canary(root, task, challenger, registry, trial, how.act)]
    elif how.act:
        outcome.retrain, why = retraining(root, folder, task, champion, how.run, how.force)
        outcome.lines.append(why)
    report(root, outcome, how)
    return outcome


def report(root: Path, outcome: Outcome, how: Watch) -> None:
    """Write .lianzi/watch/TASK/report.json and index.html."""
    settings: dict[str, float | str] = {
        "task": outcome.task,
        "version": str(outcome.version),
        "window": how.limits.window,
        "false_alarm_rate": how.limits.false_alarm_rate,
    }
    write_report(root / FOLDER / outcome.task, outcome.lines, outcome.watched, settings)


def _asking(root: Path, task: str, bundle: Path) -> Callable[[list[str]], list[Answer]] | None:
    """The champion's answers to logged texts. None where a row has several texts, which the log joins, and where good
    answers need not be equal: numbers, entities, what is generated.
    """
    kind = read_task(root / "artifacts" / "tasks" / task)
    if kind.head in GENERATES or len(kind.texts) > 1 or answer_form(kind).name not in LABELLED:
        return None
    return lambda texts: answers_of(bundle, texts)


def _after_canary(root: Path, task: str, challenger: Version, registry: Registry, trial: Trial, act: bool) -> list[str]:
    """Move the aliases as the trial says, or say what would."""
    if trial.passed is None:
        return []
    if not act:
        ask = f"`lianzi approve {task}`" if trial.passed else f"`lianzi approve {task} --refuse REASON`"
        return [f"{task}: {ask} or `lianzi watch {task} --act` follows it"]
    with one_at_a_time(root, f"canary@{task}"):
        now = registry.challenger(task)
        if now is None or now.version != challenger.version:
            return [f"{task}: v{challenger.version} is the challenger no more"]
        registry.note_canary(task, now.version, trial.passed, "; ".join(trial.sentences))
        if trial.passed:
            registry.promote(task, BY)
            return [f"{task} v{now.version} is the champion now, after its canary"]
        registry.decline(task, trial.line, BY)
        return [f"{task} v{now.version} was declined, after its canary; no later run makes it challenger again"]
