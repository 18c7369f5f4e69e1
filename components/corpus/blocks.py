"""The corpus cut into blocks: rows of one source that are curated together, known by a digest of their content.

A block that was curated before is not curated again: rows appended to the last file of a source, or another source,
cost their own curation and no other's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from components.corpus.files import CorpusFile
from components.corpus.language_codes import language_codes
from components.corpus.read import Record, read_records

COLUMNS = ("id", "text", "language")
BLOCK_ROWS = 16_384
BLOCK_CHARACTERS = 4_000_000


class Row(NamedTuple):
    """A row as read: its position relative to data/, its id, its text, and the languages it claims."""

    file: str
    line: int
    id: str
    text: str
    language: str


@dataclass(frozen=True)
class Block:
    """`number` counts the blocks of a source from 0."""

    source: str
    number: int
    rows: list[Row] = field(repr=False)

    @property
    def digest(self) -> str:
        """A digest of the rows alone."""
        content = json.dumps([self.source, self.rows], ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def cut(files: Iterable[CorpusFile], data: Path, read: Callable[[Path], None]) -> Iterator[Block]:
    """Yield the blocks of all sources in the order of the files; one block is in memory at a time.

    `read` is called with every file that is done. Raises DataError naming file and line.
    """
    rows: list[Row] = []
    source, number, characters = "", 0, 0
    for file in files:
        if file.source != source:
            if rows:
                yield Block(source, number, rows)
            source, number, rows, characters = file.source, 0, [], 0
        for record in read_records(file.path, COLUMNS):
            row = _row(record, file, data)
            rows.append(row)
            characters += len(row.text)
            if len(rows) == BLOCK_ROWS or characters >= BLOCK_CHARACTERS:
                yield Block(source, number, rows)
                number, rows, characters = number + 1, [], 0
        read(file.path)
    if rows:
        yield Block(source, number, rows)


def _row(record: Record, file: CorpusFile, data: Path) -> Row:
    place = record.file.relative_to(data).as_posix()
    language = ",".join(language_codes(record.fields.get("language")))
    return Row(place, record.line, file.document_id(record), record.text(), language)
