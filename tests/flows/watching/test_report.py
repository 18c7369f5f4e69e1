"""The report, also of nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.validation.shift import Shift
from flows.watching.report import watch_lines, write_report
from flows.watching.windows import Watched, Window

MOVED = Window("one", "two", 50, [Shift("answer", 9.0, 0.0001, "sea", 0.5, 0.9, True)])


def test_a_report_is_written_when_nothing_has_happened(tmp_path: Path) -> None:
    lines = watch_lines("places", "3", Watched([], 7), 50)
    assert lines == ["places v3: 0 windows without drift; 7 of 50 rows wait for the next"]
    write_report(tmp_path, lines, Watched([], 7), {"window": 50})
    report = json.loads((tmp_path / "report.json").read_text())
    assert report == {"window": 50, "lines": lines, "windows": [], "waiting": 7}
    assert lines[0] in (tmp_path / "index.html").read_text()


def test_what_moved_is_said_with_its_shares(tmp_path: Path) -> None:
    watched = Watched([MOVED], 0)
    told = watch_lines("places", "3", watched, 50)[0]
    assert (
        told == "places: drift of answer, one to two: 'sea' in 90.0% of requests, 50.0% of validation rows (p 0.0001)"
    )
    write_report(tmp_path, [told], watched, {})
    assert json.loads((tmp_path / "report.json").read_text())["windows"][0]["drift"] is True
    assert "<td>drift</td>" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize(
    ("moved", "told"),
    [
        (Shift("length", 9.0, 0.0001, "256", 0.02, 0.49, True), "256 to 511 characters in 49.0% of requests"),
        (Shift("length", 9.0, 0.0001, "0", 0.02, 0.49, True), "no character in 49.0% of requests"),
        (Shift("confidence", 9.0, 0.0001, "to 0.9046", 0.1, 0.4, True), "confidence to 0.9046 in 40.0% of requests"),
    ],
)
def test_the_bin_that_moved_is_told_in_words(moved: Shift, told: str) -> None:
    window = Window("2026-11-29T11:05:02.645+00:00", "2026-11-29T11:05:19.834+00:00", 50, [moved])
    line = watch_lines("places", "3", Watched([window], 0), 50)[0]
    assert told in line
    assert "2026-11-29T11:05:02+00:00 to 2026-11-29T11:05:19+00:00" in line
