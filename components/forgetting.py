"""What has to be written down so that rows stay out for good, and what that takes out of the artifacts there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from components.artifacts import digest, read_manifest
from components.corpus import blocks
from components.corpus.encoding import compared_form, fingerprint, mark_of
from components.corpus.files import corpus_files
from components.corpus.labelled import split_file
from components.corpus.parallel import read_rows
from components.corpus.read import Record, read_records
from components.corpus.removals import CORPUS, Removal, Removals
from components.corpus.row_form import form_of
from components.corpus.tagged import texts_of
from components.errors import ArtifactError, DataError
from components.lineage import Row, find_rows, kept_count, kept_rows
from components.run import progress
from components.tasks.config import TaskConfig

CLASSIFICATION = "classification"
"""What tasks are whose manifest names no kind."""
_LONG = 20
"""Characters from which on a text that stands within another is told."""
_BY_LINE = re.compile(r"/line-\d+$")


@dataclass(frozen=True)
class Taken:
    """Rows of the artifacts that a list takes out: so many `before`, so many now.

    `copies` say the same as a row that was asked for; `around` hold such a text within a longer one, and stay.
    """

    before: int
    after: int
    copies: tuple[Row, ...]
    around: tuple[Row, ...]


def removals_of(data: Path, artifacts: Path, rows: Sequence[Row]) -> list[Removal]:
    """What takes these rows out, and those that were left out because they repeat them.

    A row is known by its text as it stands in `data`: of one that was left out the artifacts hold an excerpt only.
    Raises DataError for a row whose text is not to be had and that has no id of its own.
    """
    trusted = cache(lambda artifact: _unchanged(data, artifact))
    names = dict.fromkeys(name for row in rows for name in row.same)
    repeats = [
        found for name in names for found in find_rows(artifacts, name) if found.place == CORPUS and found.reason
    ]
    removals = [one for row in dict.fromkeys([*rows, *repeats]) for one in _of_row(data, row, trusted)]
    return list(dict.fromkeys(removals))


def _of_row(data: Path, row: Row, trusted: Callable[[Path], bool]) -> list[Removal]:
    if row.place == CORPUS:
        records = [one] if (one := original_document(data, row.file, row.line, row.id)) else []
    else:
        records = original_labelled(data, row.artifact.name, row.id.partition("/")[2])
    named = any(map(has_own_id, records)) if records else not _BY_LINE.search(row.id)
    texts = [] if row.reason else [row.text]
    if named or trusted(row.artifact):
        texts += [text for record in records for text in _texts(row.artifact, record)]
    forms = {form for text in texts if (form := compared_form(text))}
    row_id, line = (row.id, None) if named else (None, row.id)
    if forms:
        return [Removal(row.place, row_id, mark_of(form), line) for form in sorted(forms)]
    if row_id is None:
        hint = "run `lianzi run` first, so that curation and data/ agree" if not records or not texts else ""
        raise DataError(f"{row.id}: left out ({row.reason}), and its text is not to be found in data/{row.file}", hint)
    return [Removal(row.place, row_id, None)]


def _texts(artifact: Path, record: Record) -> list[str]:
    """The texts that a record stands for."""
    if artifact.parent.name != "tasks":
        return [record.text()]
    made = read_manifest(artifact, "task")
    if "tokens" in made.get("columns", {}):
        return texts_of(record)
    kind = made.get("task_kind", CLASSIFICATION)
    # Language and length say nothing of how a row is read.
    given = {"kind": kind, "language": "en", "max_length": 8} | ({"pair": True} if made.get("pair") else {})
    found = form_of(TaskConfig.variant(kind).model_validate(given)).read(record)
    return [] if found is None else ["\n".join(found[0])]


def _unchanged(data: Path, artifact: Path) -> bool:
    """Whether an artifact was made from what stands in data/ now."""
    kind, name = ("corpus", "corpus") if artifact.parent.name != "tasks" else ("task", "rows")
    folder = data / "corpus" if kind == "corpus" else data / "tasks" / artifact.name
    try:
        return bool(read_manifest(artifact, kind)["made_from"].get(name) == digest(folder))
    except (ArtifactError, OSError):
        return False


def taken_out(artifacts: Path, rows: Sequence[Row], before: Removals, after: Removals) -> Taken:
    """What the list `after` takes out of the artifacts, beside the list `before`; `rows` are what was asked for.

    Raises DataError where it would leave one of `rows`, or take a row that was not asked for and says something else.
    """
    asked = {(row.place, row.id) for row in rows}
    texts = {row.text for row in rows if not row.reason and len(row.text) >= _LONG}
    counts = [0, 0]
    copies, around = [], []
    with progress("forget", kept_count(artifacts), "rows") as shown:
        for row in kept_rows(artifacts):
            mark = fingerprint(row.text)
            was, goes = (known.has(row.place, row.id, mark, row.text) for known in (before, after))
            counts[0] += was
            counts[1] += goes
            wanted = (row.place, row.id) in asked
            if wanted and not goes:
                hint = "nothing was forgotten; this is a fault of the list"
                raise DataError(f"{row.id}: would stay all the same", hint)
            if goes and not was and not wanted:
                if mark not in after.fingerprints:
                    raise DataError(f"{row.id}: would go as well, and says something else", "nothing was forgotten")
                copies.append(row)
            elif not goes and _within(texts, row.text):
                around.append(row)
            shown.advance(1)
    return Taken(counts[0], counts[1], tuple(copies), tuple(around))


def _within(texts: Collection[str], text: str) -> bool:
    return any(one in text for one in texts)


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
        rows = read_rows(split_file(data / "tasks" / task, split))
        return [one for one in rows if one.name == own]
    except DataError:
        return []


def has_own_id(record: Record) -> bool:
    """Whether a row's name is its own and not its line, where another row may stand another day."""
    return record.fields.get("id") not in (None, "")
