"""Drift is a reason to train again where rows came since."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components.artifacts import digest
from components.registry import Version
from flows.scheduling.new_data import fingerprint
from flows.watching import retraining as module
from flows.watching.retraining import not_tried, note_drift, retraining

SINCE = "2026-11-29T00:00:00+00:00"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.jsonl").write_text("{}\n")
    shutil.copytree(tmp_path / "data", tmp_path / "artifacts" / "tasks" / "form")
    # DVC's own look at the graph has its tests beside new_data.
    monkeypatch.setattr(module, "data_is_stale", lambda root: False)
    return tmp_path


def asked(place: Path, run: str = "", learned: str = "") -> tuple[bool, str]:
    rows = learned or digest(place / "artifacts" / "tasks" / "form")
    return retraining(place, place / "watch", "form", Version(3, {"rows": rows}), run)


def test_without_drift_nothing_is_trained(place: Path) -> None:
    assert asked(place, learned="others") == (False, "form: v3 has not drifted: nothing to train again for")


def test_where_no_row_came_training_would_learn_nothing_new(place: Path) -> None:
    note_drift(place / "watch", 3, SINCE)
    due, why = asked(place)
    assert not due
    assert why.startswith(f"form: v3 drifted ({SINCE}), but no labelled row came since it was trained")


def test_rows_that_come_later_are_trained_on_once(place: Path) -> None:
    note_drift(place / "watch", 3, SINCE)
    assert not asked(place)[0]
    assert asked(place, "run", learned="others") == (
        True,
        "form: training again: artifacts/tasks/form has other rows than v3 learned from",
    )
    assert asked(place, "run", learned="others")[0], "the same run goes on after a crash"
    due, why = asked(place, "next", learned="others")
    assert (due, "was tried since v3 drifted" in why) == (False, True)
    before = fingerprint(place)
    (place / "data" / "more.jsonl").write_text("{}\n")
    assert fingerprint(place) != before
    assert asked(place, "next", learned="others")[0]


def test_a_command_trains_once_on_the_same_data_unless_its_run_failed(place: Path) -> None:
    note_drift(place / "watch", 3, SINCE)
    assert asked(place, learned="others")[0]
    assert not asked(place, learned="others")[0]
    not_tried(place / "watch", 3)
    assert asked(place, learned="others")[0]


def test_another_champion_has_not_drifted(place: Path) -> None:
    note_drift(place / "watch", 2, SINCE)
    assert not asked(place, learned="others")[0]
