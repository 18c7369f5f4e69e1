"""The curated corpus as later stages read it: parquet shards of documents, one folder for each split.

corpus/{train,validation}/SOURCE-00000-DIGEST.parquet, in the order of their names; manifest.json lists them. The name
of a shard has a digest of its sources, so an unchanged shard keeps its name and bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components.errors import ArtifactError, first_line

SPLITS = ("train", "validation")
SCHEMA = pa.schema(
    {
        "id": pa.string(),  # SOURCE/NAME, one of its kind in the corpus
        "text": pa.string(),
        "source": pa.string(),  # the data file's name without endings
        "language": pa.string(),  # ISO 639-1
        "licence": pa.string(),
        "file": pa.string(),  # where the row stood, relative to data/
        "line": pa.int64(),  # counted from 1
    }
)
ROWS = 1024


def write_shard(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write documents as one shard; a column that a row lacks is null. Equal rows give equal bytes."""
    write_table(path, pa.Table.from_pylist(list(rows), schema=SCHEMA))


def write_table(path: Path, documents: pa.Table) -> None:
    """Write a table of the columns of SCHEMA as one shard."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(documents.combine_chunks(), path, compression="zstd", row_group_size=4 * ROWS)


def shard_paths(corpus: Path, split: str) -> list[Path]:
    """The shards of a split, in order. Raises ArtifactError when there is none."""
    found = sorted((corpus / split).glob("*.parquet"))
    if not found:
        raise ArtifactError(f"{corpus / split}: no documents here", "run `dvc repro` or `lianzi run` to make them")
    return found


def read_shard(path: Path, columns: Sequence[str] | None = None, rows: int = ROWS) -> Iterator[pa.RecordBatch]:
    """A shard's documents, at most `rows` of them in memory. Raises ArtifactError for a damaged one."""
    wanted = None if columns is None else list(columns)
    try:
        # One thread: more of them read no faster, and each keeps memory of its own.
        yield from pq.ParquetFile(path).iter_batches(rows, columns=wanted, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        reason = first_line(error)
        raise ArtifactError(f"{path}: damaged: {reason}", "run `dvc checkout` to restore it") from None


def read_documents(corpus: Path, split: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield all documents of a split in batches."""
    for path in shard_paths(corpus, split):
        yield from read_shard(path, columns)


def documents_of(batches: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    """Batches as one dict a document."""
    for batch in batches:
        yield from batch.to_pylist()


def in_validation_split(text: str, fraction: float, seed: int) -> bool:
    """Whether a document belongs to the validation split: a function of its text and the seed alone."""
    digest = hashlib.sha256(f"{seed}\n{text}".encode()).digest()
    return int.from_bytes(digest[:8]) < fraction * 2**64
