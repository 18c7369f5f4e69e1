"""Rows that must not be used any more: removals.txt, a JSON object a line; `#` begins a remark.

    {"id": "sea_en/7", "in": "corpus", "text": "0123…"}     known by its id and by its text
    {"line": "sea_en/line-7", "in": "corpus", "text": "0123…"}     by its text alone: it has no id of its own

A row is known by its id and by its text, so that neither another name nor another copy brings it back. `in` says
whether the id is one of the corpus or of a task (both where it is left out), `text` is a fingerprint, `line` is for
people: the next row stands there once this one is taken out of its file. Lines of earlier lists, `ID<tab>FINGERPRINT`
or an id alone, are read as well; their fingerprints are of the text as it was spelled then.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.corpus.encoding import normalise
from components.corpus.record import reason_of
from components.errors import DataError

CORPUS, TASKS = PLACES = ("corpus", "tasks")
"""The places of rows: the same id in both is two rows."""
HEADER = "# Rows taken out of every corpus and task. Written by `lianzi forget`.\n"
_FINGERPRINT = re.compile("[0-9a-f]{32}")
_FORM = "expected what `lianzi forget` writes, or an id alone: SOURCE/NAME, or TASK/SPLIT/NAME"


@dataclass(frozen=True)
class Removal:
    """One row: `id` None where it is known by its text alone, `text` None where only by its id; `line` for people.

    `place`: one of PLACES, or "" for both.
    """

    place: str
    id: str | None
    text: bytes | None
    line: str | None = None

    @property
    def places(self) -> tuple[str, ...]:
        return (self.place,) if self.place else PLACES

    def written(self) -> str:
        """Its line in the list. In ASCII: the id stays on its line, whatever characters it has."""
        text = self.text.hex() if self.text else None
        names = {"id": self.id, "line": self.line, "in": self.place or None, "text": text}
        return json.dumps({name: value for name, value in names.items() if value is not None}) + "\n"


@dataclass(frozen=True)
class Removals:
    """`ids`: with their places. `fingerprints`: of texts as they are compared; `spellings`: of earlier lists."""

    ids: frozenset[tuple[str, str]] = frozenset()
    fingerprints: frozenset[bytes] = frozenset()
    spellings: frozenset[bytes] = frozenset()

    @property
    def digest(self) -> str:
        """A digest of the list."""
        marks = [sorted(one.hex() for one in known) for known in (self.fingerprints, self.spellings)]
        return hashlib.sha256(json.dumps([sorted(self.ids), *marks]).encode()).hexdigest()

    def has(self, place: str, row_id: str, fingerprint: bytes, *texts: str) -> bool:
        """`texts`: the row's text in every form that an earlier list may have used."""
        if (place, row_id) in self.ids or fingerprint in self.fingerprints:
            return True
        return bool(self.spellings) and any(spelling(text) in self.spellings for text in texts)

    def plus(self, removals: Iterable[Removal]) -> Removals:
        """The list with more rows, in today's form."""
        ids = {(place, one.id) for one in removals if one.id is not None for place in one.places}
        marks = {one.text for one in removals if one.text is not None}
        return Removals(self.ids | ids, self.fingerprints | marks, self.spellings)

    def holds(self, removal: Removal) -> bool:
        """Whether the list already has a row."""
        by_id = removal.id is None or all((place, removal.id) in self.ids for place in removal.places)
        return by_id and (removal.text is None or removal.text in self.fingerprints)


def spelling(text: str) -> bytes:
    """The fingerprint of a text in earlier lists."""
    return hashlib.sha256(normalise(text).encode()).digest()[:16]


def read_removals(path: Path) -> Removals:
    """Read the list. Raises DataError naming an invalid line; a missing file is an empty list."""
    found: list[Removal] = []
    earlier: list[Removal] = []
    for number, line in enumerate(_content(path).removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            text = line.decode().strip(" \t\r")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path}:{number}: not UTF-8: byte 0x{line[error.start]:02x} at column {error.start + 1}",
                "save the list as UTF-8; what it names must stay out",
            ) from None
        if not text or text.startswith("#"):
            continue
        removal = _removal(text) if text.startswith("{") else _earlier(text)
        if removal is None:
            raise DataError(f"{path}:{number}: no removal: {text[:80]!r}", _FORM)
        (found if text.startswith("{") else earlier).append(removal)
    known, before = Removals().plus(found), Removals().plus(earlier)
    return Removals(known.ids | before.ids, known.fingerprints, before.fingerprints)


def add_removals(path: Path, removals: Sequence[Removal]) -> int:
    """Append the rows that are not in the list yet and return their number. The list is read back as a check.

    Raises DataError, with the list unchanged, where it cannot be read or written.
    """
    path = path.resolve()
    with _alone(path):
        known = read_removals(path)
        lines = list(dict.fromkeys(one.written() for one in removals if not known.holds(one)))
        if not lines:
            return 0
        before = _content(path) or HEADER.encode()
        end = b"" if before.endswith(b"\n") else b"\n"
        _replace(path, before + end + "".join(lines).encode(), known.plus(removals))
        return len(lines)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        if not path.is_symlink():
            return b""
        raise DataError(f"{path}: a link to a missing file", "put it back: what it names must stay out") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {reason_of(error)}", "rows named in it must stay out") from None


def _removal(line: str) -> Removal | None:
    try:
        fields: Any = json.loads(line)
    except ValueError:
        return None
    if not fields or not fields.keys() <= {"id", "line", "in", "text"} or not all(map(_is_text, fields.values())):
        return None
    row_id, text, place = fields.get("id"), fields.get("text"), fields.get("in", "")
    if place not in ("", *PLACES) or (row_id is None and text is None) or (row_id is not None and "/" not in row_id):
        return None
    if text is not None and not _FINGERPRINT.fullmatch(text):
        return None
    return Removal(place, row_id, bytes.fromhex(text) if text else None, fields.get("line"))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _earlier(line: str) -> Removal | None:
    """`ID<tab>FINGERPRINT`, or an id alone. An ambiguous line, with a tab too many or too few, is refused."""
    row_id, _, mark = line.rpartition("\t") if "\t" in line else (line, "", "")
    row_id = row_id.strip(" ")
    if "/" not in row_id or (mark and not _FINGERPRINT.fullmatch(mark)) or re.search(" [0-9a-f]{32}$", row_id):
        return None
    return Removal("", row_id, bytes.fromhex(mark) if mark else None)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One writer at a time; the lock is on the folder, so that no lock file remains."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _replace(path: Path, content: bytes, expected: Removals) -> None:
    """Replace the old list with the new one once the new one was read back and is exactly as intended."""
    partial = None
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
            partial = Path(stream.name)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.chmod(mode)
        if read_removals(partial) != expected:
            raise DataError(f"{path}: reading it back would not give what was written", "nothing was forgotten")
        partial.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {reason_of(error)}", "nothing was forgotten") from None
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)
