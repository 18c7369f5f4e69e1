"""flows.status: DVC's verdict in a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.graph import reproduce
from flows.status import show_status


def test_fresh_and_stale_stages_are_told_apart(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reproduce("first", project, print)
    capsys.readouterr()
    show_status(project)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = {words[0]: words[1] for words in lines if len(words) > 1}
    assert rows["first"] == "fresh"
    assert rows["bystander"] == "stale"
    assert rows["topic:"] == "no"
