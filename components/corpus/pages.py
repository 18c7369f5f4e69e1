"""Readers of files with one document each: Markdown, web pages, source code.

The id of the record is the file's name. The extension gives the language of source code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from components.corpus.language_codes import CODE_LANGUAGES
from components.corpus.lines import MAX_LINE_BYTES, lines_of, text_stream
from components.corpus.record import Record
from components.errors import DataError


def read_markdown(path: Path, stream: BinaryIO) -> Iterator[Record]:
    """The text unchanged, with its markup."""
    yield Record(path, 1, {"id": path.name, "text": _text(path, stream)})


def read_code(path: Path, stream: BinaryIO) -> Iterator[Record]:
    """The text unchanged; its `language` is the programming language."""
    endings = [suffix.lower() for suffix in path.suffixes]
    language = next(CODE_LANGUAGES[ending] for ending in reversed(endings) if ending in CODE_LANGUAGES)
    yield Record(path, 1, {"id": path.name, "text": _text(path, stream), "language": language})


def read_html(path: Path, stream: BinaryIO) -> Iterator[Record]:
    """The main text of a page, without menus, notices and comments (trafilatura), and its title.

    The bytes are decoded as the page declares. A page without a main text has the empty text.
    """
    from trafilatura import bare_extraction

    content = text_stream(path, stream).read(MAX_LINE_BYTES + 1)
    _check_size(path, len(content))
    if not content.strip():
        return
    if b"\0" in content:
        raise DataError(f"{path}: not a web page: a NUL byte at {content.index(0)}", "is this a text file?")
    # `fast` leaves out the second and third tries, which find more of the menus than of the text.
    page = bare_extraction(content, include_comments=False, with_metadata=True, fast=True)
    text, title = (getattr(page, name, None) or "" for name in ("text", "title"))
    yield Record(path, 1, {"id": path.name, "text": text} | ({"title": title} if title else {}))


PAGES: dict[str, Callable[[Path, BinaryIO], Iterator[Record]]] = {
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    **dict.fromkeys(CODE_LANGUAGES, read_code),
}


def _text(path: Path, stream: BinaryIO) -> str:
    parts: list[str] = []
    size = 0
    for _, line in lines_of(path, stream):
        parts.append(line)
        size += len(line)
        _check_size(path, size)
    return "".join(parts)


def _check_size(path: Path, size: int) -> None:
    if size > MAX_LINE_BYTES:
        limit = f"{MAX_LINE_BYTES // 1024**2} MB"
        raise DataError(f"{path}: a document over {limit}", "split it into documents of a sensible size")
