"""The log of releases: which version was given an alias, when and by what. Each entry has the hash of the one before.

An alias in MLflow keeps no history. Entries are only ever added: one that was edited, or taken out before the last,
breaks the chain. The chain does not tell of last entries that were taken out. The champion then is another than the
log's, as it is where something else moved the alias, or where a command ended between its entry and the alias. Whoever
writes to the store could make a whole new chain: the log shows mistakes and edits, and is no signature.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime

from components.champions import CHAMPION

PREFIX = "release_log."
"""The beginning of the names of the registered model's tags that hold an entry each."""
_TYPES = {"number": int, "version": int | None, "before": int | None}


@dataclass(frozen=True)
class Entry:
    """A change of an alias.

    time: ISO 8601 in UTC; version: None where the alias was taken away; before: the version it was on; by: the command;
    run, commit: those that made the version; previous: hash of the entry before, "" of the first one.
    """

    number: int
    time: str
    alias: str
    version: int | None
    before: int | None
    by: str
    who: str
    run: str
    commit: str
    previous: str

    @property
    def text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @property
    def hash(self) -> str:
        """SHA-256 of the entry."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def tag(self) -> str:
        """The name of its tag; with the hash, so that of two writers at once neither overwrites the other."""
        return f"{PREFIX}{self.number:06d}.{self.hash[:12]}"


def read_log(tags: Mapping[str, str]) -> list[Entry]:
    """The readable entries among a registered model's tags, the oldest first; `broken` tells of the others."""
    found = (_entry(text) for name, text in tags.items() if name.startswith(PREFIX))
    return sorted((one for one in found if one is not None), key=lambda one: (one.number, one.time))


def broken(tags: Mapping[str, str]) -> str:
    """Where the log is not as it was written: the first place; empty where the chain holds."""
    kept = {name: _entry(text) for name, text in tags.items() if name.startswith(PREFIX)}
    before, last = {""}, 0
    for name in sorted(kept):
        entry = kept[name]
        if entry is None or entry.tag != name:
            return f"entry {name.removeprefix(PREFIX).partition('.')[0].lstrip('0')} was edited"
        number = entry.number
        if number > last + 1:
            return f"entry {last + 1} is missing"
        if number > last:
            # All entries of a number follow one of the number before.
            above, before, last = before, {one.hash for one in kept.values() if one and one.number == number}, number
        if entry.previous not in above:
            return f"entry {number} does not follow the one before it"
    return ""


def following(
    entries: Sequence[Entry],
    alias: str,
    version: int | None,
    before: int | None,
    by: str,
    who: str,
    made: Mapping[str, str],
) -> Entry:
    """The next entry; `made`: the run and the commit that made the version."""
    last = entries[-1] if entries else None
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Entry(
        last.number + 1 if last else 1,
        now,
        alias,
        version,
        before,
        by,
        who,
        made.get("run", ""),
        made.get("commit", ""),
        last.hash if last else "",
    )


def champion_at(entries: Sequence[Entry], when: datetime) -> Entry | None:
    """The entry that made the champion of a moment; None where the log begins later."""
    return next(
        (one for one in reversed(entries) if one.alias == CHAMPION and datetime.fromisoformat(one.time) <= when), None
    )


def _entry(text: str) -> Entry | None:
    """None where it is not what `Entry.text` writes."""
    try:
        found = json.loads(text)
        entry = Entry(**found)
        time = datetime.fromisoformat(entry.time)
        time.astimezone()  # raises OverflowError for one that cannot be told in another zone
    except (TypeError, ValueError, OverflowError):
        return None
    right = all(isinstance(getattr(entry, one.name), _TYPES.get(one.name, str)) for one in fields(Entry))
    return entry if right and time.tzinfo is not None else None
