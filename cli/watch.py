"""`lianzi watch`: have the requests of a server, or its champion's answers, drifted? How does a canary do?"""

from __future__ import annotations

from pathlib import Path

import click

from components.lease import turn
from components.params import load_params
from components.registry import no_champion
from flows.settings import project_root
from flows.watching.retraining import not_tried
from flows.watching.watch import FOLDER, Outcome, Watch, raise_failed, report, watch_tasks

DRIFT = 3
"""The exit code where a window has drifted."""


@click.command("watch")
@click.argument("tasks", nargs=-1, metavar="[TASK]...")
@click.option("--log", type=click.Path(path_type=Path), help="Kept requests (default: watch.log).")
@click.option("--window", type=click.IntRange(50), help="Rows of a comparison (default: watch.window).")
@click.option(
    "--false-alarm-rate",
    type=click.FloatRange(0.001, 0.5),
    help="Of windows that have not drifted (default: watch.false_alarm_rate).",
)
@click.option("--act/--report", "act", default=None, help="Do what follows, or only say it (default: watch.act).")
def command(
    tasks: tuple[str, ...],
    log: Path | None,
    window: int | None,
    false_alarm_rate: float | None,
    act: bool | None,
) -> None:
    """Compare what the champion of each TASK was asked, and answered, with its answers to validation rows.

    Each full window of the log is looked at once: lengths, answers and confidence, at a rate of false alarms. A
    challenger that `lianzi serve --canary SHARE` serves is judged by its answers. With --act, what follows is done: a
    canary that was no worse becomes champion, a worse one is declined, and after drift the pipeline runs, where data
    came since. Exits with 3 on drift, and writes .lianzi/watch/TASK/index.html in any case. For the drift of a whole
    file of requests from the training rows, `lianzi drift`; for that of new training data, see `lianzi accept`.
    """
    root = project_root()
    limits = load_params(root / "params.yaml").watch
    given = {"window": window, "false_alarm_rate": false_alarm_rate}
    limits = limits.model_copy(update={name: value for name, value in given.items() if value is not None})
    acts = limits.act == "retrain" if act is None else act
    outcomes = watch(root, tasks, Watch(limits, log, acts))
    click.get_current_context().exit(DRIFT if any(one.drift for one in outcomes) else 0)


def watch(root: Path, tasks: tuple[str, ...], how: Watch) -> list[Outcome]:
    """Look, print a line for each thing seen and done, and run the pipeline where that is due.

    Raises ParameterError for an unknown task, ArtifactError without a champion, DataError for what is no log; and
    at the end what ended a task's look.
    """
    params = load_params(root / "params.yaml")
    outcomes = watch_tasks(root, params, tasks, how)
    if not outcomes:
        raise no_champion(next(iter(how.limits.tasks or params.tasks)))
    for line in (line for one in outcomes for line in one.lines):
        click.echo(line)
    if any(one.retrain for one in outcomes):
        _train(root, outcomes, how)
    raise_failed(outcomes)
    return outcomes


def _train(root: Path, outcomes: list[Outcome], how: Watch) -> None:
    """Run the pipeline, and add to the reports which version answers then."""
    from cli.live import live
    from cli.run import run_pipeline

    try:
        with turn(root, "lianzi watch"):
            run_pipeline(root, None)
    except BaseException:
        for one in outcomes:
            if one.retrain:
                not_tried(root / FOLDER / one.task, one.version)
        raise
    for one in outcomes:
        if one.retrain:
            told = list(live(root, (one.task,)))
            one.lines += told
            report(root, one, how)
            click.echo("\n".join(told))
