"""Rows of the data: where they stand, the tokens and artifacts made from them, and the versions trained with them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from components.artifacts import MANIFEST, digest
from components.corpus.removals import CORPUS, TASKS
from components.errors import ArtifactError, DataError
from components.lineage import Row, descendants, find_rows
from components.params import load_params
from components.tracking.registered import registered_versions
from flows.lineage.graph import Graph, Link, Node

if TYPE_CHECKING:
    from components.tokenization.lineage import TokenSpan

HELD_OUT = ("validation", "test")


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
    return [traced_row(root, row) for row in rows]


def traced_row(root: Path, row: Row) -> Trace:
    """A row with what was made from it."""
    made = [] if row.reason else descendants(root / "artifacts", row.artifact)
    return Trace(row, _spans(root / "artifacts", row), made, _models(root, row) if not row.reason else {})


def show_rows(root: Path, graph: Graph, named: str, as_json: bool) -> str:
    """Print the rows with an id, and add them to the graph as one node; returns its key."""
    found = trace_rows(root, named)
    for traced in found:
        if as_json:
            click.echo(json.dumps(_told(traced, root), ensure_ascii=False))
        else:
            _show(root, traced)
    key = f"row:{named}"
    graph.add(Node(key, "row", named, (f"data/{found[0].row.file}",)))
    graph.links |= {Link(key, digest(one.row.artifact), "row") for one in found if not one.row.reason}
    for server in (node for one in graph.below([key]) if (node := graph.nodes[one]).kind == "server"):
        click.echo(f"answers at {server.name}", err=as_json)
    return key


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
    own, tag = digest(row.artifact), "corpus" if row.place == CORPUS else "rows"
    tasks = [row.artifact.name] if tag == "rows" else list(load_params(root / "params.yaml").tasks)
    told: dict[str, list[str]] = {}
    for version in reversed(registered_versions()):
        if version.task in tasks:
            name = f"v{version.version}" + (" (champion)" if "champion" in version.aliases else "")
            made = version.tags.get(tag) == own
            reason = "made with it" if made else "made from other data; check out its commit to tell"
            told.setdefault(version.task, []).append(f"{name}: {reason}")
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
