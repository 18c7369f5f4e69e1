"""Where a row of the data went: found by its id in the corpus or a task, followed through the chain of manifests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds

from components.artifacts import MANIFEST, digest, read_manifest
from components.corpus.documents import SPLITS, documents_of, read_documents, shard_paths
from components.corpus.labelled import SPLITS as TASK_SPLITS
from components.corpus.removals import CORPUS, TASKS
from components.errors import ArtifactError
from components.tasks.task import text_columns


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
    def place(self) -> str:
        """CORPUS or TASKS: the same id in both is two rows."""
        return TASKS if self.artifact.parent.name == "tasks" else CORPUS


def find_rows(artifacts: Path, row_id: str) -> list[Row]:
    """The rows with an id: `SOURCE/NAME` of a document, `TASK/SPLIT/NAME` of a labelled row.

    Several where a file gives an id twice, or where a source is called as a task is; `corpus:ID` and `tasks:ID` look in
    one of the two.
    """
    if found := _in_both(artifacts, row_id):
        return found
    place, _, bare = row_id.partition(":")
    return [row for row in _in_both(artifacts, bare) if row.place == place] if bare else []


def _in_both(artifacts: Path, row_id: str) -> list[Row]:
    task, _, name = row_id.partition("/")
    found = _documents(artifacts / "corpus", row_id) if (artifacts / "corpus" / MANIFEST).is_file() else []
    # A name with separators in it is none of a folder's.
    if task not in ("", ".", "..") and (artifacts / "tasks" / task / MANIFEST).is_file():
        found += _labelled_rows(artifacts / "tasks" / task, row_id, name)
    return found


def _documents(corpus: Path, row_id: str) -> list[Row]:
    rejected = list(_json_rows(corpus / "quarantine.jsonl"))
    same = tuple(row["id"] for row in rejected if row.get("same_as") == row_id)
    found = []
    for split in SPLITS:
        shards = [str(path) for path in shard_paths(corpus, split)]
        for row in ds.dataset(shards).to_table(filter=ds.field("id") == row_id).to_pylist():
            found.append(Row(row_id, corpus, row["file"], row["line"], split, row["text"], same=same))
    for row in rejected:
        if row["id"] == row_id:
            found.append(Row(row_id, corpus, row["file"], row["line"], "", row["text"], row["reason"], same))
    return found


def _labelled_rows(folder: Path, row_id: str, name: str) -> list[Row]:
    split, file = name.partition("/")[0], f"tasks/{folder.name}"
    if split not in TASK_SPLITS:
        return []
    texts = _texts(folder)
    found = [
        Row(row_id, folder, file, 0, split, _text(row, texts))
        for row in _json_rows(folder / f"{split}.jsonl")
        if row["id"] == name
    ]
    return found + [
        Row(row_id, folder, row["file"], row["line"], "", row["text"], row["reason"])
        for row in _json_rows(folder / "quarantine.jsonl")
        if row["id"] == name
    ]


def kept_rows(artifacts: Path) -> Iterator[Row]:
    """Every row that the corpus and the tasks hold, one after the other."""
    if (artifacts / "corpus" / MANIFEST).is_file():
        for split in SPLITS:
            for row in documents_of(read_documents(artifacts / "corpus", split)):
                yield Row(row["id"], artifacts / "corpus", row["file"], row["line"], split, row["text"])
    for manifest in sorted((artifacts / "tasks").glob(f"*/{MANIFEST}")):
        folder = manifest.parent
        texts = _texts(folder)
        for split in TASK_SPLITS:
            for row in _json_rows(folder / f"{split}.jsonl"):
                yield Row(f"{folder.name}/{row['id']}", folder, f"tasks/{folder.name}", 0, split, _text(row, texts))


def kept_count(artifacts: Path) -> int:
    """How many rows these are, by the manifests."""
    manifests = [artifacts / "corpus" / MANIFEST, *(artifacts / "tasks").glob(f"*/{MANIFEST}")]
    contents = (json.loads(path.read_text(encoding="utf-8")) for path in manifests if path.is_file())
    return sum(sum(content["counts"]["kept"].values()) for content in contents)


def _texts(folder: Path) -> tuple[str, ...]:
    """The columns of a task's rows that are texts."""
    return text_columns(read_manifest(folder, "task").get("columns", {})) or ("text",)


def _text(row: Mapping[str, Any], texts: tuple[str, ...]) -> str:
    """A row's texts, a line each, as curation compared them."""
    columns = (row[name] for name in texts)
    return "\n".join(one for column in columns for one in (column if isinstance(column, list) else [column]))


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
