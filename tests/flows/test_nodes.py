"""flows.nodes: what a failure of a stage is, and who may begin. On a real server: test_pipeline."""

from __future__ import annotations

import pytest

from flows.dvc_repro import KILLED, TIMED_OUT
from flows.graph import Stage
from flows.nodes import RETRY_SECONDS, Slots, StageFailed, _failed, _may_pass

STAGE = Stage("pretrain", (), ("new",), trains=True)


def test_a_stopped_run_begins_no_stage_and_keeps_no_slot() -> None:
    slots = Slots(1)
    with slots.turn(STAGE) as pool:
        assert pool is None
        assert not slots.stopped
    slots.stop()
    for _ in range(2):
        with pytest.raises(StageFailed, match="stopped before it began"), slots.turn(STAGE):
            pass


def test_a_stage_that_the_kernel_ended_is_tried_again_unless_the_run_was_stopped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    slots = Slots(1)
    state = _failed("pretrain", KILLED, ["a line", "ERROR: exited with -9"], slots)
    assert state.message == "pretrain killed: ERROR: exited with -9"
    assert _may_pass(None, None, state)
    assert f"it is tried again, {len(RETRY_SECONDS)} times at most" in capsys.readouterr().out
    slots.stop()
    assert not _may_pass(None, None, _failed("pretrain", KILLED, [], slots))


def test_a_users_error_is_the_reason_and_never_tried_again() -> None:
    state = _failed("curate", "failed", ["error: data/a.csv:3: no label", "ERROR: failed"], Slots(1))
    assert state.message == "error: data/a.csv:3: no label"
    assert not _may_pass(None, None, state)


def test_a_stage_that_took_too_long_says_after_how_many_minutes_it_was_ended() -> None:
    state = _failed("pretrain", TIMED_OUT, ["step 3"], Slots(1, minutes=0.5))
    assert state.message == "error: pretrain: ended after 0.5 minutes (stage_minutes); its last line: step 3"
    assert not _may_pass(None, None, state)
