"""`lianzi approve`: make the challenger champion, or decline it, where `release.approval` asks a person."""

from __future__ import annotations

from pathlib import Path

import click

from cli.predict import check_task
from components import tracking
from components.errors import ArtifactError, ParameterError
from components.params import load_params
from components.registry import DECLINED, Registry
from components.tasks.kinds import score_told
from flows.settings import project_root
from flows.timing import one_at_a_time

BY = "approve"
NONE = "a release that passes every gate makes one; `lianzi status` says what the last one said"


@click.command("approve")
@click.argument("task")
@click.option("--version", type=click.IntRange(1), help="Only this version; one declined before is taken after all.")
@click.option("--refuse", metavar="REASON", help="Decline it: no later run makes it challenger again.")
def command(task: str, version: int | None, refuse: str | None) -> None:
    """Make the challenger of TASK champion. Servers go over within seconds."""
    click.echo(approve(project_root(), task, version, refuse))


def approve(root: Path, task: str, version: int | None = None, refuse: str | None = None) -> str:
    """Promote or decline a challenger. Returns a description.

    Raises ParameterError (unknown task, another version, no reason), ArtifactError (there is no challenger).
    """
    check_task(load_params(root / "params.yaml"), task)
    if refuse is not None and not refuse.strip():
        raise ParameterError("--refuse: no reason", "it is kept with the version")
    if not tracking.store_exists():
        raise ArtifactError(f"{task}: no challenger", NONE)
    with one_at_a_time(root, f"approve@{task}"):
        registry = Registry()
        if refuse is None:
            return _approved(registry, task, version)
        _check_challenger(registry, task, version)
        declined = registry.decline(task, refuse.strip(), BY)
        return f"{task} v{declined.version} was declined: {refuse.strip()}; no later run makes it challenger again"


def _approved(registry: Registry, task: str, version: int | None) -> str:
    before = registry.champion(task)
    champion = next((one for one in registry.versions(task) if one.version == version and DECLINED in one.tags), None)
    if champion is not None:
        registry.set_champion(task, champion.version, BY)  # the challenger, another version, stays
    else:
        _check_challenger(registry, task, version)
        champion = registry.promote(task, BY)
    told, score = f", before it v{before.version}" if before else "", score_told(champion.tags)
    return f"{task} v{champion.version} is the champion now ({score} on the test rows of its run){told}"


def _check_challenger(registry: Registry, task: str, version: int | None) -> None:
    """Whoever names a version has looked at that one: another may have become challenger since."""
    challenger = registry.challenger(task)
    if challenger is None:
        raise ArtifactError(f"{task}: no challenger", NONE)
    if version is not None and version != challenger.version:
        other = f"`lianzi rollback {task} --to {version}` takes any version, whatever the gates said"
        raise ParameterError(f"{task} v{version}: the challenger is v{challenger.version}", other)
