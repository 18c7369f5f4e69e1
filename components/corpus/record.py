"""A row of a data file: its fields and its position."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.errors import DataError, first_line

Columns = Collection[str] | None
"""The columns that the reader needs; None for all of them."""


def wanted(name: str, columns: Columns) -> bool:
    """Whether a column is used."""
    return columns is None or name in columns


@dataclass(frozen=True)
class Record:
    """One row: its fields and its position (the line of its first character, from 1). `unread`: columns of the file
    that were not requested.
    """

    file: Path
    line: int
    fields: dict[str, Any]
    unread: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def name(self) -> str:
        """The row's own id, or its line where it has none."""
        return self.named_by("id")

    def named_by(self, column: str) -> str:
        """What a column calls the row, or its line where it says nothing.

        A lone surrogate, which no file can hold, is written as JSON does: `\\ud83d`.
        """
        given = self.fields.get(column)
        if given is None or given == "" or given != given:  # a NaN is what pandas has for nothing
            return f"line-{self.line}"
        return str(given).encode("utf-8", "backslashreplace").decode()

    def text(self, column: str = "text") -> str:
        """A field that must be there and be text; a null is the empty text. Raises DataError."""
        if column not in self.fields:
            found = ", ".join(map(repr, (*self.fields, *self.unread))) or "nothing"
            raise DataError(f"{self.place}: no '{column}'", f"every row needs a '{column}'; found here: {found}")
        value = self.fields[column]
        if value is not None and not isinstance(value, str):
            raise DataError(f"{self.place}: '{column}' is {kind_of(value)}, not text")
        return value or ""


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises ValueError for a key that stands in it twice."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"the key '{twice}' stands twice in one object")
    return fields


def refuse_repeated(path: Path, names: Sequence[str], columns: Columns) -> None:
    """Raises DataError for a column that is used and there twice: which one is meant cannot be known."""
    twice = [name for name, count in Counter(names).items() if name and count > 1 and wanted(name, columns)]
    if twice:
        raise DataError(f"{path}: two columns are called '{twice[0]}'", "rename one of them, or take it out")


def kind_of(value: object) -> str:
    """A JSON value's type in words."""
    names = {bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "an object", str: "text"}
    return names.get(type(value), "null" if value is None else type(value).__name__)


def reason_of(error: BaseException) -> str:
    """An exception's first line."""
    return getattr(error, "strerror", None) or first_line(error)
