"""`lianzi trace` and `lianzi forget`: find the artifacts and models made from a row of the data, and remove the row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from components.artifacts import MANIFEST, digest
from components.corpus.removals import CORPUS, TASKS, add_removals, read_removals
from components.errors import ArtifactError, DataError
from components.forgetting import Taken, removals_of, taken_out
from components.lineage import Row, descendants, find_rows
from components.params import load_params
from flows.settings import project_root

if TYPE_CHECKING:
    from components.tokenization.lineage import TokenSpan

REMOVALS = "removals.txt"
HELD_OUT = ("validation", "test")


@click.command("trace")
@click.argument("row_id", metavar="ROW")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def trace(row_id: str, as_json: bool) -> None:
    """Say where a ROW of the data stands and which artifacts and models it went into.

    ROW is SOURCE/NAME, or TASK/SPLIT/NAME of a labelled row.
    """
    show_trace(project_root(), row_id, as_json)


@click.command("forget")
@click.argument("row_ids", nargs=-1, required=True, metavar="ROW…")
def forget(row_ids: tuple[str, ...]) -> None:
    """Take rows out of every corpus and task from now on, and say which models have to be made anew."""
    forget_rows(project_root(), row_ids)


@dataclass(frozen=True)
class Trace:
    """A row, its spans of packed tokens, the artifacts made from it, and released models by task."""

    row: Row
    tokens: list[TokenSpan]
    artifacts: list[Path]
    models: dict[str, list[str]]


def trace_rows(root: Path, row_id: str) -> list[Trace]:
    """One, or several where a file gives an id twice. Raises DataError when no row has it, or rows of two kinds,
    ArtifactError when there is no corpus to look in."""
    artifacts = root / "artifacts"
    rows = find_rows(artifacts, row_id)
    if not rows and not (artifacts / "corpus" / MANIFEST).is_file():
        hint = "`lianzi run` or `dvc checkout` makes it; while curation runs, wait for it"
        raise ArtifactError(f"{artifacts / 'corpus'}: missing, so no row can be found", hint)
    if not rows:
        hint = "ids are SOURCE/NAME (moby_dick_en/etymology), of labelled rows TASK/SPLIT/NAME (topic/test/line-7)"
        raise DataError(f"{row_id}: no such row in artifacts/", hint)
    if len({row.place for row in rows}) > 1:
        places = (
            f"{CORPUS}:{row_id} is the one in data/{rows[0].file}, {TASKS}:{row_id} the one in data/{rows[-1].file}"
        )
        raise DataError(f"{row_id}: a document and a labelled row have this id", places)
    return [_traced(root, row) for row in rows]


def _traced(root: Path, row: Row) -> Trace:
    made = [] if row.reason else descendants(root / "artifacts", row.artifact)
    return Trace(row, _spans(root / "artifacts", row), made, _models(root, row) if not row.reason else {})


def show_trace(root: Path, row_id: str, as_json: bool) -> None:
    """Print where a row stands and what it went into."""
    for traced in trace_rows(root, row_id):
        if as_json:
            click.echo(json.dumps(_told(traced, root), ensure_ascii=False))
        else:
            _show(root, traced)


def _show(root: Path, traced: Trace) -> None:
    row = traced.row
    place = f"data/{row.file}:{row.line}" if row.line else f"data/{row.file}"
    click.echo(f"{row.id}  {place}  “{' '.join(row.text.split())[:60]}”")
    if row.reason:
        click.echo(f"left out: {row.reason}; nothing was made from it")
        return
    click.echo(f"in {row.artifact.relative_to(root)}, split {row.split}" + _used_for(row))
    for name in row.same:
        click.echo(f"repeated by {name}, which was left out")
    for found in traced.tokens:
        click.echo(f"tokens {found.begin:,} to {found.end - 1:,} of the {found.split} stream")
    click.echo("went into: " + (", ".join(path.relative_to(root).as_posix() for path in traced.artifacts) or "nothing"))
    for task, lines in traced.models.items():
        for line in lines:
            click.echo(f"model {task} {line}")


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
    copies = [_traced(root, row) for row in taken.copies]
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


def _used_for(row: Row) -> str:
    if row.place == TASKS and row.split in HELD_OUT:
        return " (no weight learned from it)" if row.split == "test" else " (chose the best epoch, taught no weight)"
    return ""


def _spans(artifacts: Path, row: Row) -> list[TokenSpan]:
    if row.reason or row.place == TASKS or not (artifacts / "tokens").is_dir():
        return []
    from components.tokenization.lineage import token_spans

    return token_spans(artifacts / "tokens", row.id)


def _models(root: Path, row: Row) -> dict[str, list[str]]:
    """Registered versions made from the data with the row, and versions of which this is unknown."""
    from components import tracking
    from components.registry import Registry

    if not tracking.store_exists():
        return {}
    registry = Registry()
    own, tag = digest(row.artifact), "corpus" if row.place == CORPUS else "rows"
    tasks = [row.artifact.name] if tag == "rows" else list(load_params(root / "params.yaml").tasks)
    told: dict[str, list[str]] = {}
    for task in tasks:
        champion = registry.champion(task)
        for version in registry.versions(task):
            name = f"v{version.version}" + (" (champion)" if champion and champion.version == version.version else "")
            if version.tags.get(tag) == own:
                told.setdefault(task, []).append(f"{name}: made with it")
            else:
                told.setdefault(task, []).append(f"{name}: made from other data; check out its commit to tell")
    return told


def _told(traced: Trace, root: Path) -> dict[str, Any]:
    row = traced.row
    return {
        "id": row.id,
        "file": row.file,
        "line": row.line,
        "artifact": row.artifact.relative_to(root).as_posix(),
        "split": row.split,
        "reason": row.reason,
        "repeated_by": list(row.same),
        "tokens": [{"split": one.split, "begin": one.begin, "end": one.end} for one in traced.tokens],
        "artifacts": [path.relative_to(root).as_posix() for path in traced.artifacts],
        "models": traced.models,
    }
