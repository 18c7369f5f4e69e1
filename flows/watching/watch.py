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
from components.champions import CHALLENGER
from components.deployment.config import WatchConfig
from components.errors import DataError, LianziError, ParameterError
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
from flows.watching.requests import WRITES, answered, log_files, logged
from flows.watching.retraining import note_drift, retraining
from flows.watching.windows import Watched, look, note_seen

FOLDER = Path(".lianzi/watch")
LOCK = Path(".lianzi/watch.lock")
BY = "canary"
LABELLED = ("label", "labels")
"""Forms of answers of which two are the same or not."""


@dataclass(frozen=True)
class Watch:
    """How to look. log: in place of limits.log; act: do what follows, or only say it; run: the scheduled run that asks,
    "" without."""

    limits: WatchConfig
    log: Path | None = None
    act: bool = False
    run: str = ""


@dataclass
class Outcome:
    """A task's look. drift: in a window of it; retrain: whether the pipeline is to run for it; moved: what a canary led
    to, in words; error: what ended the look."""

    task: str
    version: int
    watched: Watched
    lines: list[str] = field(default_factory=list)
    drift: bool = False
    retrain: bool = False
    moved: str = ""
    error: LianziError | None = None


def watch_tasks(root: Path, params: Params, tasks: Sequence[str], how: Watch) -> list[Outcome]:
    """Look at the given tasks, else at those of watch.tasks, or of params.yaml, that have a champion.

    A look that fails is told in its outcome: the others' are not lost with it. Raises ParameterError for an unknown
    task, ArtifactError where one that was given has no champion, DataError for what is no log, or a given one that is
    not there.
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
        found = {name: one for name, one in champions.items() if one is not None}
        logs = log_files(root, how.log or Path(how.limits.log))
        lacking_log = not any(log.is_file() for log in logs)
        if lacking_log and how.log is not None:
            raise DataError(f"{how.log}: no log of requests", WRITES)
        # Of a log of several files of 64 MiB only what is looked at stays in memory.
        versions = [(name, str(one.version)) for name, one in found.items()]
        versions += [(name, str(one.version)) for name in found if (one := registry.challenger(name)) is not None]
        rows = list(logged(logs, lambda row: (row["model"], row["version"]) in versions))
        outcomes = [_look_or_error(root, name, one, registry, rows, how) for name, one in found.items()]
    if lacking_log:
        for outcome in outcomes:
            outcome.lines.insert(0, f"{outcome.task}: no log at {how.limits.log}: {WRITES}")
    return outcomes


def raise_failed(outcomes: Sequence[Outcome]) -> None:
    """Raise the first error of several looks, once what the others found is told."""
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error


def _look_or_error(
    root: Path, task: str, champion: Version, registry: Registry, rows: Sequence[dict[str, Any]], how: Watch
) -> Outcome:
    try:
        return _look(root, task, champion, registry, rows, how)
    except LianziError as error:
        lines = [f"{task}: not looked at: {str(error).splitlines()[0]}"]
        return Outcome(task, champion.version, Watched([], 0), lines, error=error)


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
        since = _challenger_since(registry, task, challenger.version)
        trial = judge_canary(own, str(version), str(challenger.version), how.limits, ask, since)
        outcome.lines.append(f"{task}: {trial.line}")
        _after_canary(root, outcome, challenger, registry, trial, how.act)
    elif how.act:
        outcome.retrain, why = retraining(root, folder, task, champion, how.run)
        outcome.lines.append(why)
    report(root, outcome, how)
    note_seen(watched, folder / "state.json")
    return outcome


def _challenger_since(registry: Registry, task: str, version: int) -> str:
    """When a version became challenger the last time; "" where no log of releases tells."""
    entries = registry.log(task)
    return next((one.time for one in reversed(entries) if (one.alias, one.version) == (CHALLENGER, version)), "")


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


def _after_canary(
    root: Path, outcome: Outcome, challenger: Version, registry: Registry, trial: Trial, act: bool
) -> None:
    """Move the aliases as the trial says, or say what would."""
    task = outcome.task
    if trial.passed is None:
        return
    if not act:
        ask = f"`lianzi approve {task}`" if trial.passed else f"`lianzi approve {task} --refuse REASON`"
        outcome.lines.append(f"{task}: {ask} or `lianzi watch {task} --act` follows it")
        return
    with one_at_a_time(root, f"canary@{task}"):
        now = registry.challenger(task)
        if now is None or now.version != challenger.version:
            outcome.lines.append(f"{task}: v{challenger.version} is the challenger no more")
            return
        registry.note_canary(task, now.version, trial.passed, "; ".join(trial.sentences))
        if trial.passed:
            registry.promote(task, BY)
            outcome.moved = f"{task} v{now.version} is the champion now, after its canary"
        else:
            registry.decline(task, trial.line, BY)
            outcome.moved = (
                f"{task} v{now.version} was declined, after its canary; no later run makes it challenger again"
            )
    outcome.lines.append(outcome.moved)
