"""`lianzi rollback`: make the previous champion the champion again."""

from __future__ import annotations

from pathlib import Path

import click

from cli.predict import check_task
from components import tracking
from components.errors import ArtifactError, ParameterError
from components.params import load_params
from components.registry import ROLLED_BACK, Registry
from components.tasks.kinds import score_told
from flows.settings import project_root
from flows.timing import one_at_a_time


@click.command("rollback")
@click.argument("task")
@click.option("--to", type=click.IntRange(1), metavar="VERSION", help="That version, whatever was champion before.")
def command(task: str, to: int | None) -> None:
    """Make the champion before this one the champion of TASK again.

    The version that is left is not made champion again by a later run. Servers go over within seconds.
    """
    click.echo(roll_back(project_root(), task, to))


def roll_back(root: Path, task: str, to: int | None = None) -> str:
    """Move the alias `champion` of a task back, to the given version or to the previous champion. Returns a
    description.

    Raises ParameterError (unknown task or version), ArtifactError (there is no previous champion).
    """
    check_task(load_params(root / "params.yaml"), task)
    if not tracking.store_exists():
        raise ArtifactError(f"{task}: no champion yet, so there is nothing to go back to", "`lianzi run` releases one")
    with one_at_a_time(root, f"rollback@{task}"):
        return _rolled_back(Registry(), task, to)


def _rolled_back(registry: Registry, task: str, to: int | None) -> str:
    champion = registry.champion(task)
    if champion is None:
        raise ArtifactError(f"{task}: no champion yet, so there is nothing to go back to", "`lianzi run` releases one")
    versions = {version.version: version for version in registry.versions(task)}
    registered = ", ".join(
        f"v{number}" + (" (rolled back)" if ROLLED_BACK in one.tags else "") for number, one in versions.items()
    )
    if to is not None and (to not in versions or to == champion.version):
        told = "is the champion already" if to == champion.version else "no such version"
        raise ParameterError(f"{task} v{to}: {told}", f"registered: {registered}")
    former = [to] if to is not None else registry.former_champions(task)
    if not former:
        hint = f"`--to VERSION` names another of those registered: {registered}"
        raise ArtifactError(f"{task}: no version was champion before v{champion.version}", hint)
    registry.roll_back(task, former[0])
    score = score_told(versions[former[0]].tags)
    return (
        f"{task} v{former[0]} is the champion again ({score} on the test rows of its run); "
        f"v{champion.version} was rolled back and is not made champion by a later run"
    )
