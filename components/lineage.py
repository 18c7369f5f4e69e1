"""Where a row of the data went: found by its id in the corpus or a task, followed through the chain of manifests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds

from components.artifacts import MANIFEST, digest
from components.corpus.documents import SPLITS, shard_paths
from components.corpus.normalise import fingerprint
from components.errors import ArtifactError


@dataclass(frozen=True)
class Row:
    """A row as curation left it. `artifact`: the folder that holds it; `reason`: why it was left out, if it was.

    `same`: ids of rows left out because they repeat this one.
    """

    id: str
    artifact: Path
    file: str
    line: int
    split: str
    text: str
    reason: str = ""
    same: tuple[str, ...] = field(default=(), compare=False)

    @property
    def fingerprint(self) -> bytes:
        return fingerprint(self.text)


def find_row(artifacts: Path, row_id: str) -> Row | None:
    """The row with an id: `SOURCE/NAME` of a document, `TASK/SPLIT/NAME` of a labelled row. None if none has it."""
    task, _, name = row_id.partition("/")
    if (artifacts / "tasks" / task / MANIFEST).is_file():
        return _labelled_row(artifacts / "tasks" / task, row_id, name)
    return _document(artifacts / "corpus", row_id)


def _document(corpus: Path, row_id: str) -> Row | None:
    rejected = list(_json_rows(corpus / "quarantine.jsonl"))
    same = tuple(row["id"] for row in rejected if row.get("same_as") == row_id)
    for split in SPLITS:
        shards = [str(path) for path in shard_paths(corpus, split)]
        found = ds.dataset(shards).to_table(filter=ds.field("id") == row_id).to_pylist()
        for row in found:
            return Row(row_id, corpus, row["file"], row["line"], split, row["text"], same=same)
    for row in rejected:
        if row["id"] == row_id:
            return Row(row_id, corpus, row["file"], row["line"], "", row["text"], row["reason"], same)
    return None


def _labelled_row(folder: Path, row_id: str, name: str) -> Row | None:
    split = name.partition("/")[0]
    for row in _json_rows(folder / f"{split}.jsonl"):
        if row["id"] == name:
            return Row(row_id, folder, f"tasks/{folder.name}", 0, split, row["text"])
    for row in _json_rows(folder / "quarantine.jsonl"):
        if row["id"] == name:
            return Row(row_id, folder, row["file"], row["line"], "", row["text"], row["reason"])
    return None


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def descendants(artifacts: Path, ancestor: Path) -> list[Path]:
    """The artifacts made from another one, directly or through others, in the order they were made.

    By content: one that was made from an earlier state of the ancestor is none of them.
    """
    if not (ancestor / MANIFEST).is_file():
        raise ArtifactError(f"{ancestor}: missing", "run `lianzi run` to make it")
    rest = {path.parent: _made_from(path) for path in sorted(artifacts.rglob(MANIFEST))}
    known, found = {digest(ancestor)}, []
    while nearer := [folder for folder, parents in rest.items() if parents & known and folder != ancestor]:
        for folder in nearer:
            known.add(digest(folder))
            del rest[folder]
        found += nearer
    return found


def _made_from(manifest: Path) -> set[str]:
    """Digests of inputs. Tasks that only took documents out of a corpus, or were only looked at, went into nothing."""
    content: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    return {value for name, value in content.get("made_from", {}).items() if not name.startswith("task_")}
