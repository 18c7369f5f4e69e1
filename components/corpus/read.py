"""Raw data files as records, one at a time, for every format and compression.

Every record and every error has its file and line. At most one line (or one parquet batch, or one page) is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from components.corpus.compression import COMPRESSIONS, unpacked, without_compression
from components.corpus.pages import PAGES
from components.corpus.record import Columns, Record, reason_of
from components.corpus.rows import TABLES, read_txt
from components.errors import DataError

__all__ = ["COMPRESSIONS", "READERS", "Record", "read_records", "read_stream", "split_name"]

READERS: dict[str, Callable[[Path, BinaryIO, Columns], Iterator[Record]]] = {
    **TABLES,
    ".txt": read_txt,
    ".conll": read_txt,
    ".iob": read_txt,
}
"""Formats with many rows in a file; a file in one of PAGES is one document."""


def read_records(path: Path, columns: Columns = None) -> Iterator[Record]:
    """The records of a data file. `columns`: the columns to read, since others may cost time and contain faults.

    Raises DataError naming file and line when the file is empty, damaged, undecodable or malformed.
    """
    split_name(path)
    try:
        with path.open("rb") as raw:
            yield from read_stream(path, raw, columns)
    except OSError as error:
        hint = "check its path" if isinstance(error, FileNotFoundError) else "check its owner and mode"
        raise DataError(f"{path}: cannot be read: {reason_of(error)}", hint) from None


def read_stream(path: Path, raw: BinaryIO, columns: Columns = None) -> Iterator[Record]:
    """The records in the bytes of a file; its name gives the format. Raises DataError."""
    extension, compression = split_name(path)[1:]
    line = 0
    try:
        with unpacked(raw, compression) as stream:
            for record in _records(extension, path, stream, columns):
                line = record.line
                yield record
    except (OSError, EOFError) as error:
        where = f" after line {line}" if line else ""
        raise DataError(f"{path}: damaged{where}: {reason_of(error)}", "fetch the file again") from None
    if not line:
        raise DataError(f"{path}: holds no rows", "remove the file or fill it")


def _records(extension: str, path: Path, stream: BinaryIO, columns: Columns) -> Iterator[Record]:
    if extension in READERS:
        return READERS[extension](path, stream, columns)
    return PAGES[extension](path, stream)


def split_name(path: Path) -> tuple[str, str, str]:
    """A data file's name in parts: `a_en.jsonl.gz` -> ("a_en", ".jsonl", ".gz"). Raises DataError if unknown."""
    bare, compression = without_compression(Path(path.name))
    extension = bare.suffix.lower()
    if extension not in READERS and extension not in PAGES:
        known = " ".join(f"*{extension}" for extension in (*READERS, ".md", ".html"))
        packed = ", ".join(COMPRESSIONS)
        raise DataError(f"{path}: unknown format", f"known: {known} and source code, each also {packed}")
    return bare.stem, extension, compression
