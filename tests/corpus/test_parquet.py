"""Parquet gives the columns that are used; what stands in the others can be anything."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.corpus.parquet import read_parquet
from components.corpus.record import Record
from components.errors import DataError

USED = ("id", "text", "language")
YEAR_10000 = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp() + 2 * 86400)


def broken(value: bytes = b"caf\xe9", count: int = 1) -> pa.Array:
    """Texts that are not UTF-8, as writers that do not look have them."""
    return pa.StringArray.from_buffers(count, *pa.array([value] * count).buffers()[1:])


STRANGE = {
    "the year 10000": pa.array([YEAR_10000], pa.timestamp("s")),
    "a time zone that no one knows": pa.array([0], pa.timestamp("ms", tz="GMT+8")),
    "broken UTF-8": broken(),
    "a decimal of 70 digits": pa.array([None], pa.decimal256(70, 3)),
    "nested bytes": pa.array([{"bytes": b"\xff", "path": None}]),
}


def read(table: pa.Table, columns: tuple[str, ...] | None = USED) -> list[Record]:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return list(read_parquet(Path("a.parquet"), io.BytesIO(sink.getvalue().to_pybytes()), columns))


def refusal(table: pa.Table, columns: tuple[str, ...] | None = USED) -> str:
    with pytest.raises(DataError) as caught:
        read(table, columns)
    return str(caught.value)


@pytest.mark.parametrize("strange", STRANGE)
def test_a_column_that_is_not_used_may_hold_anything(strange: str) -> None:
    [record] = read(pa.table({"text": ["one"], "other": STRANGE[strange]}))
    assert record.fields == {"text": "one"}
    assert record.unread == ("other",)


@pytest.mark.parametrize("strange", ["the year 10000", "a time zone that no one knows"])
def test_a_used_column_that_python_cannot_hold_is_named(strange: str) -> None:
    told = refusal(pa.table({"text": ["one"], "id": STRANGE[strange]}))
    assert told.startswith("a.parquet:1: 'id' cannot be read: ")
    assert told.endswith("\nwrite the column again as text")


def test_broken_text_is_named_with_its_row_and_encoding() -> None:
    good = pa.array(["one"] * 2000)
    column = pa.chunked_array([good, broken("déjà vu".encode("cp1252")), good])
    assert refusal(pa.table({"text": column})) == (
        "a.parquet:2001: 'text' is not UTF-8: byte 0xe9 at 2\n"
        "it looks like CP1252: decode the column and write the file again"
    )


def test_text_that_does_not_say_it_is_text_is_read() -> None:
    [record] = read(pa.table({"text": pa.array(["三隻貓".encode()], pa.large_binary()), "id": pa.array([b"7"])}))
    assert (record.text(), record.name) == ("三隻貓", "7")


def test_categories_are_read_as_what_they_name() -> None:
    [record] = read(pa.table({"text": pa.array(["one"]).dictionary_encode()}))
    assert record.text() == "one"


def test_a_missing_column_is_told_with_those_that_are_there() -> None:
    [record] = read(pa.table({"body": ["one"], "when": STRANGE["the year 10000"]}))
    with pytest.raises(DataError, match=r"a\.parquet:1: no 'text'\n.*found here: 'body', 'when'"):
        record.text()


def test_two_columns_of_one_name_are_refused_where_they_are_used() -> None:
    twice = pa.Table.from_arrays([pa.array(["a"])] * 3, names=["text", "note", "note"])
    assert read(twice)[0].fields == {"text": "a"}
    assert refusal(twice, None).startswith("a.parquet: two columns are called 'note'\nrename one")
    assert refusal(twice.rename_columns(["text", "text", "note"])).startswith(
        "a.parquet: two columns are called 'text'"
    )


class ForwardsOnly(io.BytesIO):
    """As a download comes in."""

    def seekable(self) -> bool:
        return False


def test_parquet_that_can_only_be_read_forwards_is_read_all_the_same(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["one", "two"]}), tmp_path / "a.parquet")
    stream = ForwardsOnly((tmp_path / "a.parquet").read_bytes())
    assert [record.text() for record in read_parquet(Path("a.parquet"), stream)] == ["one", "two"]
