"""The report, also of nothing."""

from __future__ import annotations

import json
from pathlib import Path

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
    assert told == "places: drift of answer from one to two: sea 50.0% of validation rows, 90.0% of requests (p 0.0001)"
    write_report(tmp_path, [told], watched, {})
    assert json.loads((tmp_path / "report.json").read_text())["windows"][0]["drift"] is True
    assert "<td>drift</td>" in (tmp_path / "index.html").read_text()
