"""flows.releasing.page."""

from __future__ import annotations

from pathlib import Path

from flows.releasing.gates import Outcome
from flows.releasing.page import noted_gates, write_gates


def test_the_gates_that_refused_are_told_first(tmp_path: Path) -> None:
    gates = [Outcome("size", True, "0.391 MB"), Outcome("champion", False, "macro-F1 0.8 against <0.9>")]
    write_gates(tmp_path / "index.html", "places", "places v2 registered, not champion", gates)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.index("champion</td><td>refused</td><td>macro-F1 0.8 against &lt;0.9&gt;") < page.index("<td>size</td>")


def test_what_the_gates_said_before_is_read_from_the_version() -> None:
    tags = {
        "gate.size": "passed: 0.391 MB",
        "rung": "int8",
        "gate.canary": "refused: slow: 9 ms",
        "gate.teacher": "passed: a",
    }
    assert noted_gates(tags) == (
        Outcome("teacher", True, "a"),
        Outcome("size", True, "0.391 MB"),
        Outcome("canary", False, "slow: 9 ms"),
    )
