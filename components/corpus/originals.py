"""A row as it stands in data/, found again by where curation says it stood."""

from __future__ import annotations

from pathlib import Path

from components.corpus import blocks, labelled
from components.corpus.files import corpus_files
from components.corpus.labelled import split_file
from components.corpus.read import Record, read_records
from components.errors import DataError


def original_document(data: Path, file: str, line: int, row_id: str) -> Record | None:
    """The record of a document: on its line of its file, under its id. None where it stands there no more."""
    try:
        [found] = [one for one in corpus_files(data / "corpus") if one.path == data / file]
        for record in read_records(found.path, blocks.COLUMNS):
            if record.line == line:
                return record if found.document_id(record) == row_id else None
    except (DataError, ValueError):
        pass
    return None


def original_labelled(data: Path, task: str, name: str) -> list[Record]:
    """The records of labelled rows by their name, SPLIT/NAME: several where the file gives a name twice."""
    split, _, own = name.partition("/")
    try:
        rows = read_records(split_file(data / "tasks" / task, split), labelled.COLUMNS)
        return [one for one in rows if one.name == own]
    except DataError:
        return []


def has_own_id(record: Record) -> bool:
    """Whether a row's name is its own and not its line, where another row may stand another day."""
    return record.fields.get("id") not in (None, "")
