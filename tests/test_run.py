"""components.run: progress and the recorder."""

from __future__ import annotations

import pytest

from components.run import Progress, RecordedRun, progress


def test_progress_tells_share_rate_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("pretrain", total=200, unit="tokens") as shown:
        shown.began -= 10
        shown.shown -= 100
        shown.advance(50, note="loss 3.2")
    line = capsys.readouterr().err.strip()
    assert line.startswith("pretrain   25 %  5 tokens/s  0:30 left  loss 3.2")


def test_progress_is_not_shown_at_every_step(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Progress("x", total=1000, unit="it", every_seconds=60)
    for _ in range(999):
        shown.advance()
    assert capsys.readouterr().err == ""
    shown.advance()
    assert "100 %" in capsys.readouterr().err


def test_the_recorder_keeps_what_it_is_told(run: RecordedRun) -> None:
    run.log_metrics({"loss": 1.0}, step=3)
    run.say("a line")
    assert run.steps == [(3, {"loss": 1.0})]
    assert run.lines == ["a line"]
