"""Rows of every format, and what is wrong with one told with its line."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from components.corpus.read import read_records
from components.corpus.rows import MAX_LINE_BYTES, read_parquet
from tests.corpus.small_files import refusal, written


def test_csv_with_byte_order_mark_and_windows_line_ends_just_works(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", '\ufefftext,label\r\n"first\r\nstill first",x\r\nsecond,y\r\n'.encode())
    records = list(read_records(path))
    assert [record.fields for record in records] == [
        {"text": "first\r\nstill first", "label": "x"},
        {"text": "second", "label": "y"},
    ]
    assert [record.line for record in records] == [2, 4]


def test_blank_lines_of_json_lines_are_skipped_but_counted(tmp_path: Path) -> None:
    [record] = read_records(written(tmp_path, "a.jsonl", b'\n\n{"text": "x"}\n'))
    assert record.line == 3


def test_malformed_json_line_is_named_with_its_column(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", b'{"text": "x"}\n{"text": }\n')
    assert f"{path}:2: not JSON: Expecting value at column 10" in refusal(path)


def test_json_line_that_is_no_object_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", b'["text"]\n')
    assert f"{path}:1: a list, not an object" in refusal(path)


def test_deeply_nested_json_is_refused_without_a_crash(tmp_path: Path) -> None:
    assert ":1: not JSON" in refusal(written(tmp_path, "a.jsonl", b"[" * 100_000))


def test_invalid_utf8_is_named_with_line_and_byte(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", b"fine\nnot \xff fine\n")
    assert f"{path}:2: not UTF-8: byte 0xff at column 5" in refusal(path)


def test_nul_byte_is_named_with_line_and_column(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", b"text\nab\0cd\n")
    assert f"{path}:2: a NUL byte at column 3" in refusal(path)


def test_line_over_the_limit_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", b'{"text": "x"}\n{"text": "' + b"x" * MAX_LINE_BYTES + b'"}\n')
    assert f"{path}:2: a line over 16 MB" in refusal(path)


def test_text_block_over_the_limit_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", (b"x" * 1_000_000 + b"\n") * 17)
    assert f"{path}:1: a document over 16 MB" in refusal(path)


def test_csv_with_a_header_alone_is_refused(tmp_path: Path) -> None:
    assert "holds no rows" in refusal(written(tmp_path, "a.csv", b"text,label\n"))


def test_csv_row_with_too_many_fields_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", b"text,label\nfine,x\nred, green,x\n")
    assert f"{path}:3: 3 fields under 2 column names" in refusal(path)


def test_csv_with_an_open_quotation_mark_is_named_by_the_line_it_opens_on(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", b'text,label\nfine,x\n"never closed,x\nmore,y\n')
    assert f"{path}:3: not well-formed" in refusal(path)


class ForwardsOnly(io.BytesIO):
    """As a download comes in."""

    def seekable(self) -> bool:
        return False


def test_parquet_that_can_only_be_read_forwards_is_read_all_the_same(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["one", "two"]}), tmp_path / "a.parquet")
    stream = ForwardsOnly((tmp_path / "a.parquet").read_bytes())
    assert [record.text() for record in read_parquet(Path("a.parquet"), stream)] == ["one", "two"]
