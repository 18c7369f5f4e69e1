"""Files that are one document each, and what of them becomes its text."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.corpus.lines import MAX_LINE_BYTES
from components.corpus.read import read_records
from components.errors import DataError
from tests.corpus.small_files import written

PAGE = """<html lang="{language}"><head><meta charset="{charset}"><title>{title}</title></head><body>
<nav><a href="/">Home</a> <a href="/about">About us</a></nav>
<article><h1>{title}</h1><p>{text}</p><p>{text}</p></article>
<footer>All rights reserved. Cookies.</footer></body></html>"""
ENGLISH = "The kettle had been on the fire since dawn, and nobody in the house could say who had put it there. " * 3
CHINESE = "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。這首詩寫詩人登高望遠，表現出不凡的胸襟抱負。" * 3


def test_markdown_is_one_document_as_it_stands(tmp_path: Path) -> None:
    [record] = read_records(written(tmp_path, "notes.md", "# 筆記\n\nOne.\n\nTwo.\n".encode()))
    assert (record.name, record.text()) == ("notes.md", "# 筆記\n\nOne.\n\nTwo.\n")


@pytest.mark.parametrize(
    ("name", "language"), [("a.py", "python"), ("A.CPP", "cpp"), ("lib.rs", "rust"), ("q.test.ts", "typescript")]
)
def test_source_code_is_in_the_language_of_its_ending(tmp_path: Path, name: str, language: str) -> None:
    [record] = read_records(written(tmp_path, name, b"x = 1\n\n\ny = 2\n"))
    assert record.fields == {"id": name, "text": "x = 1\n\n\ny = 2\n", "language": language}


@pytest.mark.parametrize(
    ("text", "title", "charset"), [(ENGLISH, "The Kettle", "utf-8"), (CHINESE, "登鸛雀樓", "gb18030")]
)
def test_of_a_web_page_the_main_text_and_the_title_are_taken(
    tmp_path: Path, text: str, title: str, charset: str
) -> None:
    page = PAGE.format(language="", charset=charset, title=title, text=text).encode(charset)
    [record] = read_records(written(tmp_path, "page.html", page))
    assert record.fields["title"] == title
    assert text.strip() in record.text()
    assert "About us" not in record.text()
    assert "Cookies" not in record.text()


def test_a_page_without_main_text_is_an_empty_document(tmp_path: Path) -> None:
    [record] = read_records(written(tmp_path, "page.html", b"<html><body></body></html>"))
    assert record.text() == ""


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.py", b"\x7fELF\0\0", "a.py:1: a NUL byte at column 5"),
        ("a.md", b"fine\nnot \xff\n", "a.md:2: not UTF-8: byte 0xff at column 5"),
        ("a.html", b"<html>\0", "a.html: not a web page: a NUL byte at 6"),
        ("a.html", b" ", "a.html: holds no rows"),
        ("a.md", b"x\n" * (MAX_LINE_BYTES // 2 + 1), "a.md: a document over 16 MB"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    path = written(tmp_path, name, content)
    with pytest.raises(DataError) as refusal:
        list(read_records(path))
    assert told in str(refusal.value)
