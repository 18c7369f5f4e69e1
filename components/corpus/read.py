"""Raw data files as records, one at a time: a row of JSON lines, CSV, TSV or parquet, or a block of text.

Every record knows its file and line, and so does every complaint. No more than one line (or one parquet
batch) is held in memory.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from components.errors import DataError

MAX_LINE_BYTES = 16 * 1024 * 1024
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
PARQUET_BATCH = 1024


@dataclass(frozen=True)
class Record:
    """One row: the fields it has, and where it stands (line of its first character, from 1)."""

    file: Path
    line: int
    fields: dict[str, Any]

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def name(self) -> str:
        """The row's own id, or its line where it has none."""
        given = self.fields.get("id")
        return f"line-{self.line}" if given is None or given == "" else str(given)

    def text(self, column: str = "text") -> str:
        """A field that must be there and be text; a null is the empty text. Raises DataError."""
        if column not in self.fields:
            found = ", ".join(map(repr, self.fields)) or "nothing"
            raise DataError(f"{self.place}: no '{column}'", f"every row needs a '{column}'; found here: {found}")
        value = self.fields[column]
        if value is not None and not isinstance(value, str):
            raise DataError(f"{self.place}: '{column}' is {_kind(value)}, not text")
        return value or ""


def read_records(path: Path) -> Iterator[Record]:
    """The records of a data file, whatever its format and compression.

    Raises DataError naming file and line when the file is empty, damaged, undecodable or malformed.
    """
    extension, compression = split_name(path)[1:]
    line = 0
    try:
        with _opened(path, compression) as stream:
            for record in READERS[extension](path, stream):
                line = record.line
                yield record
    except (OSError, EOFError) as error:
        if isinstance(error, PermissionError | FileNotFoundError | IsADirectoryError):
            raise DataError(f"{path}: cannot be read: {_reason(error)}", "check its owner and mode") from None
        where = f" after line {line}" if line else ""
        raise DataError(f"{path}: damaged{where}: {_reason(error)}", "fetch the file again") from None
    if not line:
        raise DataError(f"{path}: holds no rows", "remove the file or fill it")


def split_name(path: Path) -> tuple[str, str, str]:
    """A data file's name in parts: `a_en.jsonl.gz` -> ("a_en", ".jsonl", ".gz"). Raises DataError if unknown."""
    name = Path(path.name)
    compression = name.suffix if name.suffix in COMPRESSIONS else ""
    bare = name.with_suffix("") if compression else name
    if bare.suffix not in READERS:
        known = " ".join(f"*{extension}" for extension in READERS)
        raise DataError(f"{path}: not a format known here", f"known: {known}, each also with .gz or .zst")
    return bare.stem, bare.suffix, compression


@contextmanager
def _opened(path: Path, compression: str) -> Iterator[BinaryIO]:
    """Arrow's streams, since they call a gzip or zstd file that is cut short an error."""
    with path.open("rb") as raw:
        if not compression:
            yield raw
            return
        with pa.CompressedInputStream(pa.PythonFile(raw, "r"), COMPRESSIONS[compression]) as unpacked:
            yield io.BufferedReader(unpacked, 1 << 16)


def _lines(path: Path, stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Numbered lines with their line ends, decoded and checked; a byte order mark is dropped."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            limit = f"{MAX_LINE_BYTES // 1024**2} MB"
            raise DataError(f"{path}:{number}: a line over {limit}", "split it into documents of a sensible size")
        if b"\0" in line:
            raise DataError(f"{path}:{number}: a NUL byte at column {line.index(0) + 1}", "is this a text file?")
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path}:{number}: not UTF-8: byte 0x{line[error.start]:02x} at column {error.start + 1}",
                "convert the file, e.g. `iconv -f GB18030 -t UTF-8`",
            ) from None


def _read_jsonl(path: Path, stream: BinaryIO) -> Iterator[Record]:
    for number, line in _lines(path, stream):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            raise DataError(f"{path}:{number}: not JSON: {reason}", "one JSON object a line is expected") from None
        if not isinstance(fields, dict):
            raise DataError(f"{path}:{number}: {_kind(fields)}, not an object", "one JSON object a line is expected")
        yield Record(path, number, fields)


def _read_separated(path: Path, stream: BinaryIO, delimiter: str) -> Iterator[Record]:
    """RFC 4180: quoted fields may hold line ends. The first row names the columns."""
    csv.field_size_limit(MAX_LINE_BYTES)
    rows = csv.reader((line for _, line in _lines(path, stream)), delimiter=delimiter, strict=True)
    line = 1
    try:
        header = next(rows, [])
        line = rows.line_num + 1
        for row in rows:
            if row and len(row) != len(header):
                hint = "quote fields that hold the separator"
                raise DataError(f"{path}:{line}: {len(row)} fields under {len(header)} column names", hint)
            if row:
                yield Record(path, line, dict(zip(header, row, strict=True)))
            line = rows.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}:{line}: not well-formed: {error}", "is a quotation mark left open?") from None


def _read_csv(path: Path, stream: BinaryIO) -> Iterator[Record]:
    return _read_separated(path, stream, ",")


def _read_tsv(path: Path, stream: BinaryIO) -> Iterator[Record]:
    return _read_separated(path, stream, "\t")


def _read_parquet(path: Path, stream: BinaryIO) -> Iterator[Record]:
    number = 0
    try:
        source = stream if stream.seekable() else io.BytesIO(stream.read())
        for batch in pq.ParquetFile(source).iter_batches(PARQUET_BATCH):
            for fields in batch.to_pylist():
                number += 1
                yield Record(path, number, fields)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: damaged after row {number}: {_reason(error)}", "fetch the file again") from None


def _read_txt(path: Path, stream: BinaryIO) -> Iterator[Record]:
    """One document a block of lines; blank lines stand between."""
    block: list[str] = []
    first = size = 0
    for number, line in _lines(path, stream):
        if line.strip():
            first, size = first if block else number, size + len(line)
            block.append(line)
            if size > MAX_LINE_BYTES:
                raise DataError(f"{path}:{first}: a document over 16 MB", "put blank lines between documents")
        elif block:
            yield Record(path, first, {"text": "".join(block)})
            block, size = [], 0
    if block:
        yield Record(path, first, {"text": "".join(block)})


READERS: dict[str, Callable[[Path, BinaryIO], Iterator[Record]]] = {
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".parquet": _read_parquet,
    ".txt": _read_txt,
}


def _kind(value: object) -> str:
    """A JSON value's type in words."""
    names = {bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "an object", str: "text"}
    return names.get(type(value), "null" if value is None else type(value).__name__)


def _reason(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
