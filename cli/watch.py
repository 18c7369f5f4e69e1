"""`lianzi watch`: have the requests of a server, or its champion's answers, drifted?"""

from __future__ import annotations

from pathlib import Path

import click

from cli.predict import check_task
from components.params import load_params
from flows.settings import project_root
from flows.watching.reference import reference_of
from flows.watching.report import watch_lines, write_report
from flows.watching.windows import Watched, look

REQUESTS = Path(".lianzi/requests.jsonl")
FOLDER = Path(".lianzi/watch")
DRIFT = 3
"""The exit code where a window has drifted."""


@click.command("watch")
@click.argument("task")
@click.option("--log", default=REQUESTS, show_default=True, type=click.Path(path_type=Path), help="Kept requests.")
@click.option("--window", default=500, show_default=True, type=click.IntRange(50), help="Rows of a comparison.")
@click.option(
    "--false-alarm-rate",
    default=0.01,
    show_default=True,
    type=click.FloatRange(0.001, 0.5),
    help="Of windows that have not drifted.",
)
def command(task: str, log: Path, window: int, false_alarm_rate: float) -> None:
    """Compare what the champion of TASK was asked, and answered, with its answers to validation rows.

    Each full window of the log is looked at once: lengths, answers and confidence. Exits with 3 where one has drifted,
    and writes .lianzi/watch/TASK/index.html in any case.
    """
    lines, drift = watch(project_root(), task, log, window, false_alarm_rate)
    for line in lines:
        click.echo(line)
    click.get_current_context().exit(DRIFT if drift else 0)


def watch(root: Path, task: str, log: Path, size: int, rate: float) -> tuple[list[str], bool]:
    """Look at the windows that have filled. Returns what is to be said, and whether one has drifted.

    Raises ParameterError for an unknown task, ArtifactError without a champion, DataError for what is no log.
    """
    check_task(load_params(root / "params.yaml"), task)
    from components.registry import Registry, no_champion

    registry = Registry()
    if (champion := registry.champion(task)) is None:
        raise no_champion(task)
    folder = root / FOLDER / task
    bundle = registry.bundle(task, champion.version)
    reference = reference_of(root, task, bundle, folder / "reference.json")
    logs = [*sorted((root / log.parent).glob(f"{log.name}.[0-9]"), reverse=True), root / log]
    version = str(champion.version)
    watched: Watched = look(logs, task, version, reference, size, rate, folder / "state.json")
    lines = watch_lines(task, version, watched, size)
    settings: dict[str, float | str] = {"task": task, "version": version, "window": size, "false_alarm_rate": rate}
    write_report(folder, lines, watched, settings)
    return lines, any(window.drift for window in watched.windows)
