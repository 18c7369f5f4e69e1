"""A row of a data file: its fields, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.errors import DataError, first_line


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
            raise DataError(f"{self.place}: '{column}' is {kind_of(value)}, not text")
        return value or ""


def kind_of(value: object) -> str:
    """A JSON value's type in words."""
    names = {bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "an object", str: "text"}
    return names.get(type(value), "null" if value is None else type(value).__name__)


def reason_of(error: BaseException) -> str:
    """An exception's first line."""
    return getattr(error, "strerror", None) or first_line(error)
