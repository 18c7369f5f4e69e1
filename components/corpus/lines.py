"""Lines of text files: decoded, numbered, checked.

Text is UTF-8, or UTF-16 or UTF-32 with a byte order mark. Lines end in `\\n`, `\\r\\n`, or all of them in `\\r`.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from components.errors import DataError

MAX_LINE_BYTES = 16 * 1024 * 1024
_CHUNK = 1 << 16
# UTF-32's first: its mark in little-endian order begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_PACKED = {b"\x1f\x8b": ("gzip", ".gz"), b"\x28\xb5\x2f\xfd": ("zstd", ".zst"), b"\xfd7zXZ\0": ("xz", ".xz")}
_BINARY = {
    b"PK\x03\x04": ("a zip archive, or a document of an office program", "unpack it, or save it as CSV"),
    b"\xd0\xcf\x11\xe0": ("a document of an office program", "save it as CSV or text"),
    b"%PDF-": ("a PDF", "save its text, e.g. with `pdftotext`"),
    b"SQLite format 3\0": ("an SQLite database", "`lianzi import sqlite:///FILE --query 'SELECT …'` takes its rows"),
}
_UTF16 = re.compile(rb"(?:[^\0]\0){3}|(?:\0[^\0]){3}")
"""Three characters of ASCII in a row in UTF-16."""


def text_stream(path: Path, stream: BinaryIO) -> BinaryIO:
    """The same text as UTF-8 bytes. Raises DataError for files whose first bytes are those of a binary format."""
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, stream))
    begin = buffered.peek(16)
    for mark, (what, ending) in _PACKED.items():
        if begin.startswith(mark):
            raise DataError(f"{path}: packed with {what}", f"call it {path.name}{ending}, and it is read")
    for mark, (what, hint) in _BINARY.items():
        if begin.startswith(mark):
            raise DataError(f"{path}: {what}, not text", hint)
    encoding = next((name for mark, name in _MARKS.items() if begin.startswith(mark)), None)
    return io.BufferedReader(_AsUtf8(path, buffered, encoding), _CHUNK) if encoding else buffered


def lines_of(path: Path, stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Numbered lines with their line ends, decoded and checked; a byte order mark is removed."""
    stream = text_stream(path, stream)
    for number, line in enumerate(_split(stream), 1):
        if len(line) > MAX_LINE_BYTES:
            limit = f"{MAX_LINE_BYTES // 1024**2} MB"
            raise DataError(f"{path}:{number}: a line over {limit}", "split it into documents of a sensible size")
        if b"\0" in line:
            raise _nul_byte(path, number, line)
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise not_utf8(f"{path}:{number}", line, error.start, line + stream.read(_CHUNK)) from None


def not_utf8(place: str, line: bytes, start: int, sample: bytes) -> DataError:
    """The error for a byte that is not UTF-8, at `start` of `line`; the encoding is guessed from `sample`."""
    from components.corpus.charset import conversion

    return DataError(f"{place}: not UTF-8: byte 0x{line[start]:02x} at column {start + 1}", conversion(sample))


def _nul_byte(path: Path, number: int, line: bytes) -> DataError:
    hint = "is this a text file?"
    if found := _UTF16.search(line):
        order = "LE" if found[0].endswith(b"\0") else "BE"
        hint = f"it looks like UTF-16 without its mark: `iconv -f UTF-16{order} -t UTF-8 OLD > NEW` converts it"
    return DataError(f"{path}:{number}: a NUL byte at column {line.index(0) + 1}", hint)


def _split(stream: BinaryIO) -> Iterator[bytes]:
    """Lines with their ends, none much longer than MAX_LINE_BYTES."""
    line = stream.readline(MAX_LINE_BYTES + 1)
    # Only a file without any \n there is taken for one of \r alone: elsewhere \r is a stray character of a line.
    if b"\r" in line and not line.endswith(b"\n"):
        yield from _split_at_returns(line, stream)
        return
    while line:
        yield line
        line = stream.readline(MAX_LINE_BYTES + 1)


def _split_at_returns(rest: bytes, stream: BinaryIO) -> Iterator[bytes]:
    # A return at the end of a chunk may be half of \r\n, so the last line always waits for more.
    while (chunk := stream.read(_CHUNK)) and len(rest) <= 2 * MAX_LINE_BYTES:
        *lines, rest = (rest + chunk).splitlines(keepends=True)
        yield from lines
    yield from rest.splitlines(keepends=True)


class _AsUtf8(io.RawIOBase):
    """A text in the encoding that its byte order mark says, read as UTF-8."""

    def __init__(self, path: Path, stream: BinaryIO, encoding: str) -> None:
        self._path, self._stream, self._encoding = path, stream, encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._ready:
            chunk = self._stream.read(_CHUNK)
            try:
                text = self._decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                name = self._encoding.upper()
                raise DataError(
                    f"{self._path}: begins as {name} and is not: {error.reason}", "save it again as UTF-8"
                ) from None
            if not chunk:
                return 0
            self._ready = memoryview(text.encode())
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size
