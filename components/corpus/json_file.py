"""A JSON file of objects as rows: an array of objects, or a sequence of them, or an object whose `data` is such an
array, as SQuAD has it. It is read in pieces, whatever its size.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from components.corpus.lines import MAX_LINE_BYTES, not_utf8, text_stream
from components.corpus.record import Columns, Record, kind_of, unique
from components.errors import DataError

_CHUNK = 1 << 20
_END_LENGTH = 256
"""Characters that _END needs at most."""
_SPACE = re.compile(r"[ \t\r\n]*")
_WRAPPED = re.compile(r'\{\s*(?:"version"\s*:\s*"[^"]*"\s*,\s*)?"data"\s*:\s*(?=\[)')
_END = re.compile(r'\s*(?:,\s*"version"\s*:\s*"[^"]*"\s*)?\}')
_EXPECTED = "an array of objects is expected, or one object after another"
_DECODER = json.JSONDecoder(object_pairs_hook=unique)


def read_json(path: Path, stream: BinaryIO, columns: Columns = None) -> Iterator[Record]:
    """One record for each object; `line` counts the objects, since a line may have many of them."""
    text = _Text(path, text_stream(path, stream))
    wrapped = text.skip_match(_WRAPPED)
    array = text.next_character() == "["
    if array:
        text.skip(1)
    number = 0
    while True:
        character = text.next_character()
        if array and character == "]":
            text.skip(1)
            array = False
            if wrapped and not text.skip_match(_END, _END_LENGTH):
                raise text.fault("more than `data` and `version` in the object")
            if text.next_character():
                raise text.fault("more after the end of the array")
        if not character and array:
            raise text.fault("the array has no end")
        if not text.next_character():
            return
        if array and number and character == ",":
            text.skip(1)
            character = text.next_character()
        elif array and number:
            raise text.fault("no comma between two objects")
        number += 1
        yield Record(path, number, text.next_object(character))


class _Text:
    """The unread part of a JSON file: a piece of text, and the stream with the rest."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self._path, self._stream = path, stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._piece, self._at, self._whole = "", 0, False
        self._lines, self._columns = 0, 0  # how far the piece's beginning is into the file

    def next_character(self) -> str:
        """The next character that is not white space; "" at the end."""
        while True:
            match = _SPACE.match(self._piece, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._piece) or self._whole:
                return self._piece[self._at : self._at + 1]
            self._read()

    def skip_match(self, pattern: re.Pattern[str], ahead: int = 1) -> bool:
        """Skip what a pattern matches at the next character. Returns whether it does.

        `ahead`: characters that it may need, where a piece of the file may end in their midst.
        """
        self.next_character()
        while not self._whole and len(self._piece) - self._at < ahead:
            self._read()
        if found := pattern.match(self._piece, self._at):
            self._at = found.end()
        return found is not None

    def skip(self, count: int) -> None:
        """Skip characters."""
        self._at += count

    def next_object(self, character: str) -> dict[str, Any]:
        """The object at the current position, which begins with this character. Raises DataError where there is no
        valid object.
        """
        if character != "{":
            raise self._no_object()
        while True:
            try:
                value, self._at = _DECODER.raw_decode(self._piece, self._at)
                return dict(value)
            except json.JSONDecodeError as error:
                # Broken, or not read to its end: only more of the text can tell.
                if self._whole or len(self._piece) - self._at > MAX_LINE_BYTES:
                    raise self.fault(error.msg, error.pos) from None
                self._read()
            except (ValueError, RecursionError) as error:
                raise self.fault(str(error)) from None

    def fault(self, what: str, at: int | None = None) -> DataError:
        """The error for a file that is no JSON of rows, at a position of the piece or at the current one."""
        line, column = self._place(self._at if at is None else at)
        return DataError(f"{self._path}:{line}: not JSON: {what} at column {column}", _EXPECTED)

    def _place(self, at: int) -> tuple[int, int]:
        """The line and column, from 1, of a position of the piece."""
        line, end = self._piece.count("\n", 0, at), self._piece.rfind("\n", 0, at)
        return self._lines + line + 1, at - end if line else self._columns + at + 1

    def _no_object(self) -> DataError:
        try:
            value, _ = _DECODER.raw_decode(self._piece, self._at)
        except (ValueError, RecursionError):
            return self.fault("Expecting value")
        return DataError(f"{self._path}:{self._place(self._at)[0]}: {kind_of(value)}, not an object", _EXPECTED)

    def _read(self) -> None:
        """Read as much again as the current object has, so that a long object is not parsed too often."""
        line, column = self._place(self._at)
        self._lines, self._columns, left = line - 1, column - 1, self._piece[self._at :]
        chunk = self._stream.read(max(_CHUNK, len(left)))
        self._whole = not chunk
        try:
            self._piece, self._at = left + self._decoder.decode(chunk, final=self._whole), 0
        except UnicodeDecodeError as error:
            line = self._lines + left.count("\n") + error.object[: error.start].count(b"\n") + 1
            begin = error.object.rfind(b"\n", 0, error.start) + 1
            raise not_utf8(
                f"{self._path}:{line}", error.object[begin:], error.start - begin, error.object[begin:]
            ) from None
