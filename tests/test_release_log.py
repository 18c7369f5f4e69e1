"""components.release_log: what was champion when, and that nobody changed the answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from components.release_log import Entry, broken, champion_at, following, read_log


def written(*versions: int, alias: str = "champion") -> list[Entry]:
    """An entry a day from 1 March 2026 on, each with the next version."""
    entries: list[Entry] = []
    for day, version in enumerate(versions, 1):
        entry = following(entries, alias, version, None, "release", "ada", {"run": "r", "commit": "c"})
        entries.append(replace(entry, time=f"2026-03-{day:02d}T12:00:00.000+00:00"))
    return entries


def tags(entries: list[Entry]) -> dict[str, str]:
    return {entry.tag: entry.text for entry in entries} | {"another": "tag"}


def test_a_log_comes_back_as_it_was_written() -> None:
    entries = written(1, 2, 3)
    assert read_log(tags(entries[::-1])) == entries
    assert broken(tags(entries)) == ""
    assert broken({}) == ""


def test_the_champion_of_a_moment_is_the_last_one_before_it() -> None:
    entries = written(1, 2)
    challenger = replace(following(entries, "challenger", 3, None, "", "", {}), time="2026-03-02T12:00:00.000+00:00")
    for day, hour, version in ((1, 11, None), (1, 12, 1), (2, 11, 1), (9, 0, 2)):
        found = champion_at([*entries, challenger], datetime(2026, 3, day, hour, tzinfo=UTC))
        assert (found.version if found else None) == version


def test_an_edited_entry_is_found() -> None:
    entries = written(1, 2, 3)
    kept = tags(entries)
    kept[entries[1].tag] = replace(entries[1], version=9).text
    assert broken(kept) == "entry 2 was edited"
    assert broken(tags([entries[0], replace(entries[1], version=9), entries[2]])) == (
        "entry 3 does not follow the one before it"
    )
    assert broken(kept | {entries[1].tag: "not JSON"}) == "entry 2 was edited"


@pytest.mark.parametrize("time", ["2026-03-02T12:00:00", "0001-01-01T00:00+08:00", "noon"])
def test_an_entry_without_a_moment_is_not_read(time: str) -> None:
    entries = written(1, 2)
    kept = tags(entries) | {entries[1].tag: replace(entries[1], time=time).text}
    assert read_log(kept) == entries[:1]
    assert broken(kept) == "entry 2 was edited"


@pytest.mark.parametrize("number", [1, 2])
def test_a_missing_entry_is_found(number: int) -> None:
    entries = written(1, 2, 3)
    del entries[number - 1]
    assert broken(tags(entries)) == f"entry {number} is missing"


def test_two_that_write_at_once_both_stay_in_the_log() -> None:
    first = written(1)
    one = following(first, "champion", 2, 1, "release", "ada", {})
    other = following(first, "champion", 3, 1, "rollback", "grace", {})
    after = following([*first, one, other], "champion", 4, 3, "release", "ada", {})
    kept = tags([*first, one, other, after])
    assert len(read_log(kept)) == 4
    assert broken(kept) == ""
