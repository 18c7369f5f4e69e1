"""Parquet files as rows: only the columns that are used are read and converted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from components.corpus.record import Columns, Record, reason_of, refuse_repeated, wanted
from components.errors import DataError

_BATCH = 1024


def read_parquet(path: Path, stream: BinaryIO, columns: Columns = None) -> Iterator[Record]:
    """One record for each row; `line` counts the rows.

    Unused columns cannot cause an error: a year 10000, an unknown time zone, bytes that are not text.
    """
    number = 0
    try:
        with _seekable(stream) as source:
            file = pq.ParquetFile(source)
            names = file.schema_arrow.names
            refuse_repeated(path, names, columns)
            used = [name for name in dict.fromkeys(names) if wanted(name, columns)]
            others = tuple(name for name in names if name not in used)
            for batch in file.iter_batches(_BATCH, columns=used):
                values = [_values(path, batch, name, number) for name in used]
                for row in zip(*values, strict=True) if used else [()] * len(batch):
                    number += 1
                    yield Record(path, number, dict(zip(used, row, strict=True)), others)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: damaged after row {number}: {reason_of(error)}", "fetch the file again") from None


def _values(path: Path, batch: pa.RecordBatch, name: str, before: int) -> list[Any]:
    """A column as Python values. Raises DataError naming the row, of which `before` come earlier, that cannot be
    converted.
    """
    column = batch.column(name)
    try:
        return _converted(column)
    except (ArithmeticError, LookupError, ValueError):  # pyarrow raises what Python's own types raise
        pass
    for place in range(len(column)):
        try:
            _converted(column.slice(place, 1))
        except (ArithmeticError, LookupError, ValueError) as error:
            raise _unreadable(f"{path}:{before + place + 1}", name, error, column) from None
    raise DataError(f"{path}: '{name}' cannot be read", "write the column again as text")


def _converted(column: pa.Array) -> list[Any]:
    """Binary columns are read as text: several programs write text without declaring it."""
    kind = column.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return [None if value is None else value.decode() for value in column.to_pylist()]
    return cast(list[Any], column.to_pylist())


def _unreadable(place: str, name: str, error: BaseException, column: pa.Array) -> DataError:
    if not isinstance(error, UnicodeDecodeError):
        return DataError(f"{place}: '{name}' cannot be read: {reason_of(error)}", "write the column again as text")
    from components.corpus.charset import guessed

    looks = guessed(b"\n".join(value for value in column.cast(pa.large_binary()).to_pylist() if value))
    hint = f"it looks like {looks}: " if looks else ""
    what = f"not UTF-8: byte 0x{error.object[error.start]:02x} at {error.start + 1}"
    return DataError(f"{place}: '{name}' is {what}", f"{hint}decode the column and write the file again")


@contextmanager
def _seekable(stream: BinaryIO) -> Iterator[BinaryIO]:
    """The stream itself, or a copy on disk of a stream without seek: parquet is read from its end."""
    if stream.seekable():
        yield stream
        return
    with TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy, 1 << 20)
        copy.seek(0)
        yield cast(BinaryIO, copy)
