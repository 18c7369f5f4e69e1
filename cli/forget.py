"""`lianzi forget`: take rows out of every corpus and task, and name what has to be made anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from components.corpus.removals import add_removals, read_removals
from components.forgetting import Taken, removals_of, taken_out
from components.lineage import Row
from flows.lineage.rows import trace_rows, traced_row
from flows.settings import project_root

REMOVALS = "removals.txt"


@click.command("forget")
@click.argument("row_ids", nargs=-1, required=True, metavar="ROW…")
def command(row_ids: tuple[str, ...]) -> None:
    """Take rows out of every corpus and task from now on, and say which models have to be made anew."""
    forget_rows(project_root(), row_ids)


def forget_rows(root: Path, row_ids: Sequence[str]) -> None:
    """Add rows and their repetitions to removals.txt, and name the stale artifacts. All of them or none.

    The rows of the artifacts that the list removes are counted before and after: every given row, its copies, nothing
    else.
    """
    artifacts = root / "artifacts"
    traced = [one for row_id in dict.fromkeys(row_ids) for one in trace_rows(root, row_id)]
    rows = [one.row for one in traced]
    removals = removals_of(root / "data", artifacts, rows)
    known = read_removals(root / REMOVALS)
    taken = taken_out(artifacts, rows, known, known.plus(removals))
    added = add_removals(root / REMOVALS, removals)
    click.echo(f"{added} added to {REMOVALS}" + ("" if added else ": all of them were there already"))
    _tell_taken(rows, taken)
    copies = [traced_row(root, row) for row in taken.copies]
    made = sorted({path for one in [*traced, *copies] for path in one.artifacts})
    if made:
        click.echo("to be rebuilt: " + ", ".join(path.relative_to(root).as_posix() for path in made))
    for task, lines in sorted({pair for one in [*traced, *copies] for pair in _lines(one.models)}):
        click.echo(f"model {task} {lines}")
    click.echo(f"next: `lianzi run`, and commit {REMOVALS}")
    files = ", ".join(sorted({f"data/{row.file}" for row in [*rows, *taken.copies]}))
    click.echo(
        f"the text still stands in {files}, in DVC's cache, in .cache/ and in reports that MLflow keeps of earlier runs"
    )


def _tell_taken(rows: Sequence[Row], taken: Taken) -> None:
    left_out = sum(bool(row.reason) for row in rows)
    told = f", {left_out} of those asked for were left out before" if left_out else ""
    click.echo(f"rows of artifacts/ that it takes out: {taken.before} before, {taken.after} now{told}")
    for name in sorted({row.id for row in rows if sum(one.id == row.id for one in rows) > 1}):
        click.echo(f"{name}: {sum(row.id == name for row in rows)} rows have this id, and all of them are removed")
    for row in taken.copies:
        click.echo(f"{row.id} says the same and is removed as well")
    for row in taken.around:
        click.echo(f"{row.id} holds the text within a longer one and stays: `lianzi forget` it too to remove it")


def _lines(models: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(task, line) for task, lines in models.items() for line in lines]
