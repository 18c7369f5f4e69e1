"""Readers of rows: JSON lines, CSV, TSV, parquet, and text whose blocks of lines are documents.

A reader takes the name a file is called by and its bytes, unpacked, and gives one record at a time.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from components.corpus.record import Record, kind_of, reason_of
from components.errors import DataError

MAX_LINE_BYTES = 16 * 1024 * 1024
PARQUET_BATCH = 1024


def lines_of(path: Path, stream: BinaryIO) -> Iterator[tuple[int, str]]:
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


def read_jsonl(path: Path, stream: BinaryIO) -> Iterator[Record]:
    """One JSON object a line; blank lines are passed over."""
    for number, line in lines_of(path, stream):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            raise DataError(f"{path}:{number}: not JSON: {reason}", "one JSON object a line is expected") from None
        if not isinstance(fields, dict):
            raise DataError(f"{path}:{number}: {kind_of(fields)}, not an object", "one JSON object a line is expected")
        yield Record(path, number, fields)


def _read_separated(path: Path, stream: BinaryIO, delimiter: str) -> Iterator[Record]:
    """RFC 4180: quoted fields may hold line ends. The first row names the columns."""
    csv.field_size_limit(MAX_LINE_BYTES)
    rows = csv.reader((line for _, line in lines_of(path, stream)), delimiter=delimiter, strict=True)
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


def read_csv(path: Path, stream: BinaryIO) -> Iterator[Record]:
    """Fields between commas."""
    return _read_separated(path, stream, ",")


def read_tsv(path: Path, stream: BinaryIO) -> Iterator[Record]:
    """Fields between tabs."""
    return _read_separated(path, stream, "\t")


def read_parquet(path: Path, stream: BinaryIO) -> Iterator[Record]:
    """A record a row; `line` counts the rows."""
    number = 0
    try:
        with _seekable(stream) as source:
            for batch in pq.ParquetFile(source).iter_batches(PARQUET_BATCH):
                for fields in batch.to_pylist():
                    number += 1
                    yield Record(path, number, fields)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: damaged after row {number}: {reason_of(error)}", "fetch the file again") from None


@contextmanager
def _seekable(stream: BinaryIO) -> Iterator[BinaryIO]:
    """The stream itself, or a copy on disk of one that can only be read forwards: parquet is read from its end."""
    if stream.seekable():
        yield stream
        return
    with TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy, 1 << 20)
        copy.seek(0)
        yield cast(BinaryIO, copy)


def read_txt(path: Path, stream: BinaryIO) -> Iterator[Record]:
    """One document a block of lines; blank lines stand between."""
    block: list[str] = []
    first = size = 0
    for number, line in lines_of(path, stream):
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
