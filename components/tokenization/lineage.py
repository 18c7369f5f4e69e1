"""The spans of packed tokens that hold a document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq

from components.artifacts import read_manifest
from components.corpus.documents import SPLITS
from components.errors import ArtifactError


@dataclass(frozen=True)
class TokenSpan:
    """A document in a split's stream: tokens begin .. end - 1, the end token included. `file`:`line` in data/."""

    split: str
    begin: int
    end: int
    id: str
    file: str
    line: int


def token_spans(tokens: Path, name: str) -> list[TokenSpan]:
    """The spans of the document with this id: none where it was left out, several under a weight above 1."""
    return [
        span
        for split in SPLITS
        for path, first, _ in _shards(tokens, split)
        for span in _spans(path, split, first, ds.field("id") == name)
    ]


def _shards(tokens: Path, split: str) -> Iterator[tuple[Path, int, int]]:
    """Each shard's list of documents, its first token in the stream and the number of its tokens."""
    first = 0
    for shard in read_manifest(tokens, "tokens")["splits"][split].get("lineage", []):
        yield tokens / shard["file"], first, shard["tokens"]
        first += shard["tokens"]


def _spans(path: Path, split: str, first: int, chosen: Any) -> list[TokenSpan]:
    if not path.is_file():
        raise ArtifactError(f"{path}: missing", "run `dvc checkout` to restore it")
    rows = pq.read_table(path, filters=chosen).to_pylist()
    return [
        TokenSpan(split, first + row["begin"], first + row["end"], row["id"], row["file"], row["line"]) for row in rows
    ]
