"""`lianzi gc`: what nothing needs any more, shown first, then removed."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from components.lease import lease, turn
from flows.settings import project_root

MEGABYTE = 1_000_000


@click.command("gc")
@click.option("--yes", is_flag=True, help="Remove it.")
def command(yes: bool) -> None:
    """Show what nothing needs any more, and how large it is; with --yes, remove it.

    What a commit, a branch, a tag, an experiment, a registered version, a sweep or the work tree needs stays.
    """
    collect_garbage(project_root(), yes)


def collect_garbage(root: Path, yes: bool) -> None:
    """Raises LianziError, having removed nothing, where it cannot be told what is needed, or a sweep is at work."""
    from flows.collecting import collect

    with ExitStack() as held:
        held.enter_context(turn(root, "lianzi gc"))
        for study in (root / ".lianzi" / "sweeps").glob("*/study.db"):
            held.enter_context(lease(study.parent / "sweep.json", "lianzi gc", 0, click.echo))
        click.echo("Looking through every commit for what it needs …")
        found = collect(root)
        for one in found:
            told = one.note or f"{one.count:,}, {one.size / MEGABYTE:,.1f} MB"
            click.echo(f"{one.kind}: {told}")
        count, size = sum(one.count for one in found), sum(one.size for one in found)
        if not count:
            click.echo("Nothing to remove.")
        elif not yes:
            click.echo(f"{size / MEGABYTE:,.1f} MB in all; `lianzi gc --yes` removes them.")
        else:
            for one in found:
                if one.count:
                    one.remove()
            click.echo(f"Removed: {size / MEGABYTE:,.1f} MB.")
