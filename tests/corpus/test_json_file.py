"""A .json file gives a row an object, in an array or one after another, in pieces of any size."""

from __future__ import annotations

import io
import json
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from components.corpus import json_file
from components.corpus.json_file import read_json
from components.errors import DataError

ROWS = [{"text": 'one, {"]', "label": 1}, {"text": "三隻貓\n\\", "meta": {"a": [1, {"b": None}]}}, {"text": ""}]


def rows(content: str | bytes) -> list[dict[str, Any]]:
    stream = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    return [record.fields for record in read_json(Path("a.json"), stream)]


def refusal(content: str | bytes) -> str:
    with pytest.raises(DataError) as caught:
        rows(content)
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2, ensure_ascii=False),
        "\n".join(map(json.dumps, ROWS)) + "\n",
        "".join(json.dumps(row, indent=4) for row in ROWS),
        f"\ufeff {json.dumps(ROWS)}\n\n",
        json.dumps(ROWS).encode("utf-16"),
    ],
    ids=["array", "indented", "lines", "one after another", "mark and spaces", "utf-16"],
)
def test_every_layout_gives_the_same_rows(content: str | bytes) -> None:
    assert rows(content) == ROWS


def test_rows_are_counted_since_a_line_may_hold_many() -> None:
    records = read_json(Path("a.json"), io.BytesIO(json.dumps(ROWS).encode()))
    assert [record.line for record in records] == [1, 2, 3]


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64])
def test_pieces_may_end_anywhere(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr("components.corpus.json_file._CHUNK", chunk)
    assert rows(json.dumps(ROWS, ensure_ascii=False)) == ROWS


class Counted(io.RawIOBase):
    """An array of many rows that is never there as a whole."""

    def __init__(self, count: int) -> None:
        row = json.dumps({"text": "x" * 1000}).encode()
        self._rows = chain([b"[", row], repeat(b"," + row, count - 1), [b"]"])
        self._left, self.given = b"", 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._left = self._left or next(self._rows, b"")
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        self.given += size
        return size


def test_a_first_row_is_there_before_the_last_is_read() -> None:
    source = Counted(20_000)
    records = read_json(Path("a.json"), io.BufferedReader(source))
    assert next(records).text() == "x" * 1000
    assert source.given < 3_000_000
    assert sum(1 for _ in records) == 19_999


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('[{"text": "a"}\n{"text": "b"}]', "a.json:2: not JSON: no comma between two objects at column 1"),
        ('[{"text": "a"},\n{"text": }]', "a.json:2: not JSON: Expecting value at column 10"),
        ('[{"text": "a"}', "a.json:1: not JSON: the array has no end at column 15"),
        ('[{"text": "a"}] x', "a.json:1: not JSON: more after the end of the array at column 17"),
        ('[{"text": "a"},]', "a.json:1: not JSON: Expecting value at column 16"),
        ('["a"]', "a.json:1: text, not an object"),
        ("\n[[1]]", "a.json:2: a list, not an object"),
        ("words", "a.json:1: not JSON: Expecting value at column 1"),
        ('[{"text": "a", "text": "b"}]', "a.json:1: not JSON: the key 'text' stands twice in one object"),
        ('[{"a":' * 3000, "a.json:1: not JSON: "),
        (b'[{"text": "a"},\n{"text": "caf\xe9"}]', "a.json:2: not UTF-8: byte 0xe9 at column 14\nit looks like CP1252"),
    ],
)
def test_what_is_no_json_of_rows_is_named_with_its_line(content: str | bytes, told: str) -> None:
    assert refusal(content).startswith(told)


def test_an_empty_file_and_an_empty_array_give_no_rows() -> None:
    assert rows("") == rows(" \n") == rows("[ ]") == []


def test_an_object_around_the_rows_may_end_in_another_piece_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_file, "_CHUNK", 64)
    path = tmp_path / "rows.json"
    for length in range(64):
        path.write_text(f'{{"version": "1.1", "data": [{{"text": "{"x" * length}"}}], "version": "1.1"}}')
        with path.open("rb") as stream:
            assert [one.fields for one in read_json(path, stream)] == [{"text": "x" * length}]
