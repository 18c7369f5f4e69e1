"""What the run from a checkpoint is held against: its goals, read from the metrics that the pipeline writes."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.checkpoint import GOALS, missed_goals, scores


def measured(**macro_f1: float) -> dict[str, Any]:
    """metrics/evaluate/TASK.json, as far as it is read."""
    systems = {
        name: {"macro_f1": value, "macro_f1_low": value - 0.02, "macro_f1_high": value + 0.02, "accuracy": value}
        for name, value in macro_f1.items()
    }
    gain = {"macro_f1": {"value": 0.05, "low": 0.03, "high": 0.07}}
    return {**systems, "over_baseline": dict.fromkeys(systems, gain), "test_rows": 700}


METRICS = measured(baseline=0.88, teacher=0.93, student=0.93, onnx=0.93, int8=0.925, int8_static=0.925, candidate=0.9)


def test_what_shipped_is_compared_with_its_teacher_and_with_counting_words() -> None:
    found = scores(METRICS, "int8")
    assert found["shipped"]["macro_f1"] == 0.925
    assert found["below_teacher"] == pytest.approx(0.005)
    assert found["over_baseline"] == pytest.approx(0.045)
    assert scores(METRICS, "fp32")["shipped"]["macro_f1"] == 0.93


def test_a_run_that_reaches_every_goal_misses_none() -> None:
    found = {
        "topic": scores(METRICS, "int8"),
        "question": scores(METRICS, "int8_static"),
    }
    assert missed_goals(found, GOALS["minutes"]) == []


def test_each_missed_goal_is_told_in_a_line() -> None:
    low = measured(baseline=0.88, teacher=0.93, student=0.93, onnx=0.93, int8=0.91, candidate=0.9)
    found = {"topic": scores(low, "fp32"), "question": scores(low, None)}
    assert missed_goals(found, 30.0) == [
        "30.0 minutes, not 25",
        "topic ships fp32, not int8",
        "question was not released",
        "question is 0.0300 below its teacher, not 0.01",
    ]
    found["topic"] = scores(low, "int8")
    assert missed_goals(found, 1.0)[:2] == [
        "topic is 0.0200 below its teacher, not 0.01",
        "question was not released",
    ]
    assert missed_goals(found, 1.0)[-1] == "topic is 0.0300 above counting words, not 0.04"
