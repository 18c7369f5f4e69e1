"""A row of a data file says where it stands and what it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.corpus.record import Record
from components.errors import DataError


def test_row_without_text_is_named_with_the_columns_it_has() -> None:
    with pytest.raises(DataError, match=r"a\.csv:2: no 'text'\n.*found here: 'body', 'label'"):
        Record(Path("a.csv"), 2, {"body": "hello", "label": "x"}).text()


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"id": "a"}, "a"),
        ({"id": 0}, "0"),
        ({"id": ""}, "line-7"),
        ({"id": float("nan")}, "line-7"),
        ({}, "line-7"),
        ({"id": "a\ud83d/貓"}, r"a\ud83d/貓"),
    ],
)
def test_row_is_called_by_its_id_or_else_by_its_line(fields: dict[str, object], name: str) -> None:
    assert Record(Path("a.csv"), 7, fields).name == name


def test_text_that_is_a_number_is_refused_and_a_null_is_empty(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="7: 'text' is a number, not text"):
        Record(tmp_path, 7, {"text": 3}).text()
    assert Record(tmp_path, 7, {"text": None}).text() == ""
