"""flows.releasing.considered: what of a verdict is remembered."""

from __future__ import annotations

from pathlib import Path

from flows.releasing.considered import RECORD, is_current, remember


def test_nothing_is_current_before_a_release(here: Path) -> None:
    assert not is_current(here)


def test_what_was_considered_is_remembered_by_task_and_a_damaged_record_is_none(here: Path) -> None:
    (here / RECORD).parent.mkdir()
    remember(here, "topic", "a")
    remember(here, "form", "b")
    assert '"form": "b"' in (here / RECORD).read_text()
    assert '"topic": "a"' in (here / RECORD).read_text()
    (here / RECORD).write_text('{"store": "half of')
    assert not is_current(here)
    remember(here, "form", "b")
    assert "topic" not in (here / RECORD).read_text()
