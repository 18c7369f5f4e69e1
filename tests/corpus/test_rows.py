"""Rows of every format, and what is wrong with one told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.corpus.lines import MAX_LINE_BYTES
from components.corpus.read import read_records
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


def test_a_key_that_stands_twice_is_named(tmp_path: Path) -> None:
    told = "a.jsonl:2: not JSON: the key 'text' stands twice in one object"
    for line in (b'{"text": "a", "text": "b"}', b'{"text" : "a", "text" : "b"}', b'{"text":"a","label":1,"text":"b"}'):
        assert told in refusal(written(tmp_path, "a.jsonl", b'{"text": "x"}\n' + line + b"\n"))


def test_a_text_that_looks_like_keys_has_none(tmp_path: Path) -> None:
    [record] = read_records(written(tmp_path, "a.jsonl", rb'{"text": "{\"a\": 1, \"a\": 2}", "meta": {"text": 1}}'))
    assert record.text() == '{"a": 1, "a": 2}'


def test_two_columns_of_one_name_are_refused_and_unnamed_ones_are_not(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", b"text,label,text\na,b,c\n")
    assert f"{path}: two columns are called 'text'\nrename one of them" in refusal(path)
    [record] = read_records(written(tmp_path, "b.csv", b",text,,note,note\n1,a,,x,y\n"), ("text",))
    assert record.text() == "a"


@pytest.mark.parametrize(
    "content",
    [
        b"text;label\none, two;x\n",
        b"text\tlabel\none, two\tx\n",
        b"text|label\none, two|x\n",
        b'"text";"label"\n"one, two";x\n',
        b"sep=;\ntext;label\none, two;x\n",
        b'text,label\n"one, two",x\n',
        "text\tlabel\none, two\tx\n".encode("utf-16"),
    ],
)
def test_the_first_row_of_a_csv_says_what_separates_fields(tmp_path: Path, content: bytes) -> None:
    [record] = read_records(written(tmp_path, "a.csv", content))
    assert record.fields == {"text": "one, two", "label": "x"}
    assert record.line == 2 + content.startswith(b"sep")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.txt"])
def test_lines_that_end_in_returns_alone_are_lines(tmp_path: Path, name: str) -> None:
    content = {"a.csv": "text\rone\rtwo\r", "a.jsonl": '{"text": "one"}\r{"text": "two"}', "a.txt": "one\r\rtwo"}[name]
    assert [record.text().strip() for record in read_records(written(tmp_path, name, content.encode()))] == [
        "one",
        "two",
    ]
