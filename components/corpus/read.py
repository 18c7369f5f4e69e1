"""Raw data files as records, one at a time, whatever their format and compression.

Every record knows its file and line, and so does every complaint. No more than one line (or one parquet
batch, or one page) is held in memory.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from components.corpus.pages import PAGES
from components.corpus.record import Record, reason_of
from components.corpus.rows import MAX_LINE_BYTES, read_csv, read_jsonl, read_parquet, read_tsv, read_txt
from components.errors import DataError

__all__ = [
    "COMPRESSIONS",
    "MAX_LINE_BYTES",
    "READERS",
    "Record",
    "read_records",
    "read_stream",
    "split_name",
    "unpacked",
]

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
READERS: dict[str, Callable[[Path, BinaryIO], Iterator[Record]]] = {
    ".jsonl": read_jsonl,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
    ".txt": read_txt,
}
"""Formats of many rows a file; a file in one of PAGES is one document."""


def read_records(path: Path) -> Iterator[Record]:
    """The records of a data file.

    Raises DataError naming file and line when the file is empty, damaged, undecodable or malformed.
    """
    split_name(path)
    try:
        with path.open("rb") as raw:
            yield from read_stream(path, raw)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {reason_of(error)}", "check its owner and mode") from None


def read_stream(path: Path, raw: BinaryIO) -> Iterator[Record]:
    """The records in a file's bytes as they stand; its name says what they are. Raises DataError."""
    extension, compression = split_name(path)[1:]
    line = 0
    try:
        with unpacked(raw, compression) as stream:
            for record in (READERS | PAGES)[extension](path, stream):
                line = record.line
                yield record
    except (OSError, EOFError) as error:
        where = f" after line {line}" if line else ""
        raise DataError(f"{path}: damaged{where}: {reason_of(error)}", "fetch the file again") from None
    if not line:
        raise DataError(f"{path}: holds no rows", "remove the file or fill it")


def split_name(path: Path) -> tuple[str, str, str]:
    """A data file's name in parts: `a_en.jsonl.gz` -> ("a_en", ".jsonl", ".gz"). Raises DataError if unknown."""
    name = Path(path.name)
    compression = name.suffix.lower() if name.suffix.lower() in COMPRESSIONS else ""
    bare = name.with_suffix("") if compression else name
    extension = bare.suffix.lower()
    if extension not in READERS and extension not in PAGES:
        known = " ".join(f"*{extension}" for extension in (*READERS, ".md", ".html"))
        raise DataError(f"{path}: not a format known here", f"known: {known} and source code, each also .gz or .zst")
    return bare.stem, extension, compression


@contextmanager
def unpacked(raw: BinaryIO, compression: str) -> Iterator[BinaryIO]:
    """A stream of what is packed in another. Arrow's, since they call a gzip or zstd file cut short an error."""
    if not compression:
        yield raw
        return
    with pa.CompressedInputStream(pa.PythonFile(raw, "r"), COMPRESSIONS[compression]) as unpacked:
        yield io.BufferedReader(unpacked, 1 << 16)
