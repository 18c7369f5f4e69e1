"""The test rows with every column that their file has: curation keeps those of the task alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from components.corpus.compression import unpacked, without_compression
from components.corpus.record import Record
from components.corpus.rows import TABLES
from components.errors import DataError
from components.tasks.task import Row

SPLIT = "test"


def with_given_columns(rows: Sequence[Row], folder: Path) -> list[dict[str, Any]]:
    """Rows of artifacts/tasks/NAME with the further columns of data/tasks/NAME that hold text, a number or a truth
    value, joined by their ids. A row that no single record of the file has the id of keeps what it has.
    """
    given = _given(folder)
    return [{**given.get(row["id"], {}), **row} for row in rows]


def _given(folder: Path) -> dict[str, dict[str, Any]]:
    """The plain columns of each record by the id that curation gives it."""
    found: dict[str, dict[str, Any]] = {}
    repeated: set[str] = set()
    for record in _records(folder):
        name = f"{SPLIT}/{record.name}"
        if name in found:
            repeated.add(name)
        found[name] = {key: value for key, value in record.fields.items() if isinstance(value, str | int | float)}
    return {name: fields for name, fields in found.items() if name not in repeated}


def _records(folder: Path) -> Iterator[Record]:
    """Those of the split's file; none where a column that curation does not read cannot be read."""
    for path in sorted(folder.glob(f"{SPLIT}.*")):
        bare, compression = without_compression(path)
        if (read := TABLES.get(bare.suffix.lower())) is not None:
            try:
                with path.open("rb") as raw, unpacked(raw, compression) as stream:
                    yield from list(read(path, stream, None))
            except DataError:
                return
