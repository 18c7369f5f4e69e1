"""Windows of a log: each full one is looked at once."""

from __future__ import annotations

import json
from pathlib import Path

from flows.watching.reference import Reference
from flows.watching.requests import logged
from flows.watching.windows import Watched, look, note_seen

REFERENCE = Reference("", {"length": {"2": 100}, "answer": {"sea": 50, "city": 50}}, [])


def log(path: Path, numbers: range, answer: str = "", request: str = "", version: str = "1") -> None:
    """Add rows, by turns of both answers unless they have one; each its own request unless they have one."""
    with path.open("a") as lines:
        for number in numbers:
            own = {
                "time": f"2026-11-29T00:{number // 60:02}:{number % 60:02}.000+00:00",
                "request": request or str(number),
            }
            told = {"model": "places", "version": version, "text": "ab", "score": 0.9}
            told |= {"time": "2026-11-29T09:00:00.000+00:00"} if request else {}
            lines.write(json.dumps(own | told | {"answer": answer or ("sea", "city")[number % 2]}) + "\n")


def looked(path: Path, rate: float = 0.01, noted: bool = True) -> Watched:
    state = path.with_name("state.json")
    watched = look(list(logged([path])), "places", "1", REFERENCE, 50, rate, state)
    if noted:
        note_seen(watched, state)
    return watched


def test_drift_fires_once(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    log(path, range(50))
    log(path, range(50, 100), "sea")
    assert [window.drift for window in looked(path).windows] == [False, True]
    assert looked(path) == Watched([], 0)
    log(path, range(100, 170))
    assert [window.drift for window in looked(path).windows] == [False]
    assert looked(path) == Watched([], 20)


def test_rows_of_another_version_or_model_are_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    log(path, range(60), version="2")
    assert looked(path) == Watched([], 0)


def test_a_request_of_many_rows_is_cut_where_a_window_ends(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    log(path, range(120), request="all")
    assert (len(looked(path).windows), looked(path).waiting) == (2, 20)


def test_a_look_that_was_ended_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    log(path, range(60), "sea")
    for _ in range(2):
        assert [window.drift for window in looked(path, noted=False).windows] == [True]


def test_a_log_that_was_turned_over_is_read_on_from_its_time(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    log(path, range(60))
    assert looked(path).waiting == 10
    path.unlink()
    log(path, range(100, 130))
    assert looked(path) == Watched([], 30)
