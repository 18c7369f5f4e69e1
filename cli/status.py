"""`lianzi status`: fresh and stale stages, and the champions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.params import load_params
from components.tasks.kinds import score_told
from flows.graph import data_version, read_graph
from flows.settings import project_root
from flows.summary import key_metric

if TYPE_CHECKING:
    from components.versions import Versions


@click.command("status")
def command() -> None:
    """Show each stage as fresh or stale with the reason, and each task's champion."""
    show_status(project_root())


def show_status(root: Path) -> None:
    """Print each stage with DVC's verdict and each task's champion."""
    console = Console(highlight=False)
    params = load_params(root / "params.yaml")
    shown = Table(box=None, pad_edge=False)
    for heading in ("stage", "state", "key metric", "why"):
        shown.add_column(heading, no_wrap=True, overflow="ellipsis")
    stages = read_graph(root)
    for stage in stages:
        metric = key_metric(stage.name, root)
        state = "[green]fresh[/]" if stage.fresh else "[yellow]stale[/]"
        state = f"[cyan]running[/] ({stage.running})" if stage.running else state
        told = f"{metric[0]} {metric[1]:.4g}" if metric else ""
        shown.add_row(stage.name, state, told, escape(reasons(stage.changes)))
    console.print(shown)
    if told := data_version(root, stages):
        console.print(told, markup=False)
    console.print()
    registry = _registry()
    for name in params.tasks:
        lines = [f"{name}: {_champion(registry, name)}", *_gates(registry, name)]
        console.print("\n  ".join(lines), markup=False, soft_wrap=True)


def reasons(changes: Sequence[str]) -> str:
    """The reason why a stage is stale, in a few words: the first changed input, the number of others, and whether code
    changed.
    """
    code = [change for change in changes if change.startswith("deps components/")]
    others = [change.removeprefix("deps ") for change in changes if change not in code]
    told = others[:1] + ([f"{len(others) - 1} more"] if len(others) > 1 else [])
    return ", ".join(told + (["code modified"] if code else []))


def _registry() -> Versions | None:
    """None before the first release."""
    from components import tracking
    from components.registry import known_versions

    return known_versions() if tracking.store_exists() else None


def _champion(registry: Versions | None, task: str) -> str:
    if registry is None:
        return "no champion yet: nothing was released from here"
    champion, refusal, challenger = registry.champion(task), registry.refusal(task), registry.challenger(task)
    after = f"; {refusal}" if refusal else ""
    if challenger is not None:
        after += f"; v{challenger.version} is the challenger: `lianzi approve {task}` makes it champion"
    if champion is None:
        return f"no champion{after or ' yet'}"
    return f"champion v{champion.version}, {score_told(champion.tags)} on the test rows of its run{after}"


def _gates(registry: Versions | None, task: str) -> list[str]:
    """What each gate said of the newest version."""
    from components.registry import GATE

    newest = next(iter(registry.versions(task)), None) if registry else None
    if newest is None:
        return []
    told = {name.removeprefix(GATE): text for name, text in sorted(newest.tags.items()) if name.startswith(GATE)}
    return [f"v{newest.version} {name} {text}" for name, text in told.items()]
