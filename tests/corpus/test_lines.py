"""Lines come out the same whatever a text's encoding and line ends; what is no text is named."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from components.corpus.lines import MAX_LINE_BYTES, lines_of
from components.errors import DataError

HERE = Path("a.txt")
TEXT = "one\n三隻貓\n\ncafé 🐈\n"


def lines(content: bytes) -> list[tuple[int, str]]:
    return list(lines_of(HERE, io.BytesIO(content)))


def refusal(content: bytes) -> str:
    with pytest.raises(DataError) as caught:
        lines(content)
    return str(caught.value)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_a_byte_order_mark_says_the_encoding(encoding: str) -> None:
    mark = "" if encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32") else "\ufeff"
    assert lines((mark + TEXT).encode(encoding)) == list(enumerate(TEXT.splitlines(keepends=True), 1))


def test_utf16_that_is_cut_short_is_refused() -> None:
    assert (
        refusal(TEXT.encode("utf-16")[:-1])
        == "a.txt: begins as UTF-16 and is not: truncated data\nsave it again as UTF-8"
    )


def test_utf16_without_its_mark_is_named_with_the_way_to_convert() -> None:
    told = "a.txt:1: a NUL byte at column {}\nit looks like UTF-16 without its mark: "
    told += "`iconv -f UTF-16{} -t UTF-8 OLD > NEW` converts it"
    assert refusal(TEXT.encode("utf-16-le")) == told.format(2, "LE")
    assert refusal(TEXT.encode("utf-16-be")) == told.format(1, "BE")


def test_lines_may_end_in_returns_alone() -> None:
    assert lines(b"one\rtwo\r\rthree") == [(1, "one\r"), (2, "two\r"), (3, "\r"), (4, "three")]
    long = b"".join(b"line %d\r" % number for number in range(50_000))
    assert len(lines(long)) == 50_000


def test_a_return_within_lines_ends_none() -> None:
    assert lines(b"one\rstill one\ntwo\r\nthree\n") == [(1, "one\rstill one\n"), (2, "two\r\n"), (3, "three\n")]


def test_a_line_over_the_limit_is_refused_whatever_ends_lines() -> None:
    long = b"x" * (MAX_LINE_BYTES + 1)
    for end in (b"\n", b"\r"):
        assert refusal(b"one" + end + long + end).startswith("a.txt:2: a line over 16 MB")


def test_a_byte_that_is_not_utf8_is_named_with_a_guess_at_the_encoding() -> None:
    told = refusal("fine\n今天天气很好，我们去公园散步。\n".encode("gbk"))
    assert told == (
        "a.txt:2: not UTF-8: byte 0xbd at column 1\n"
        "it looks like GB18030: `iconv -f GB18030 -t UTF-8 OLD > NEW` converts it"
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (gzip.compress(b"one\n", mtime=0), "a.txt: packed with gzip\ncall it a.txt.gz, and it is read"),
        (b"PK\x03\x04\x14\0", "a.txt: a zip archive, or a document of an office program, not text\nunpack it"),
        (b"%PDF-1.7\n", "a.txt: a PDF, not text\n"),
        (b"SQLite format 3\0\x10", "a.txt: an SQLite database, not text\n`lianzi import sqlite:"),
    ],
)
def test_a_file_that_is_known_to_be_no_text_is_called_what_it_is(content: bytes, told: str) -> None:
    assert refusal(content).startswith(told)
