"""A canary is judged by the servers' log."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose
from pathlib import Path
from typing import Any

import pytest

from components.deployment.config import WatchConfig
from components.params import load_params
from flows.watching.canary import Answer, Trial, judge_canary, p_of_more


@pytest.fixture
def limits(root: Path) -> WatchConfig:
    changed = {"canary_rows": 50, "min_agreement": 0.8, "max_confidence_loss": 0.05, "max_slowdown": 1.5}
    return load_params(root / "params.yaml").watch.model_copy(update=changed)


def rows(version: str, count: int, failed: int = 0, **told: Any) -> list[dict[str, Any]]:
    own = {"version": version, "answer": "sea", "score": 0.9, "milliseconds": 4.0, "status": 200} | told
    every = [
        {"time": "2026-11-29T00:00:01", "request": f"{version}-{n}", "text": f"ship {n}"} | own for n in range(count)
    ]
    for row in every[:failed]:
        row |= {"status": 500, "text": "", "answer": "", "score": None}
    return every


def as_before(texts: list[str]) -> list[Answer]:
    return [("sea", 0.9) for _ in texts]


def judged(limits: WatchConfig, ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]]) -> Trial:
    return judge_canary([*theirs, *ours], "1", "2", limits, as_before)


def test_one_that_is_no_worse_passes_with_its_figures(limits: WatchConfig) -> None:
    trial = judged(limits, rows("2", 60), rows("1", 200))
    assert trial.passed
    assert trial.line.split("; ") == [
        "canary v2 was no worse: 60 answers",
        "0 of 60 requests failed, of the champion's 0 of 200",
        "4.0 ms at the median, the champion 4.0 ms, watch.max_slowdown allows 1.5 times",
        "100.0% of answers are the champion's, watch.min_agreement asks for 80%",
        "confidence +0.000 on the same texts, watch.max_confidence_loss allows a loss of 0.05",
    ]


def test_it_goes_on_until_there_are_answers_enough(limits: WatchConfig) -> None:
    assert judged(limits, [], rows("1", 100)).passed is None
    trial = judged(limits, rows("2", 49), rows("1", 100))
    assert (trial.answers, trial.passed) == (49, None)
    assert trial.sentences[0] == "49 of 50 answers"


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"milliseconds": 9.0}, "9.0 ms at the median"),
        ({"answer": "city"}, "0.0% of answers are the champion's"),
        ({"score": 0.7}, "confidence -0.200"),
        ({"failed": 8}, "8 of 60 requests failed, of the champion's 0 of 200"),
    ],
)
def test_a_worse_one_fails_with_the_reason(limits: WatchConfig, told: dict[str, Any], why: str) -> None:
    trial = judged(limits, rows("2", 60, **told), rows("1", 200))
    assert trial.passed is False
    assert why in trial.line


def test_failures_end_it_at_once(limits: WatchConfig) -> None:
    assert judged(limits, rows("2", 10, failed=6), rows("1", 100)).passed is False


def test_one_failure_in_many_ends_nothing(limits: WatchConfig) -> None:
    assert judged(limits, rows("2", 80, failed=1), rows("1", 800, failed=5)).passed


def test_texts_that_cannot_be_asked_again_are_judged_by_failures_and_time(limits: WatchConfig) -> None:
    trial = judge_canary([*rows("1", 100), *rows("2", 60, answer="city")], "1", "2", limits, None)
    assert trial.passed
    assert "are the champion's, watch" not in trial.line


def test_failures_are_compared_by_fishers_exact_test() -> None:
    assert isclose(p_of_more(1, 2, 0, 2), 0.5)
    assert isclose(p_of_more(2, 2, 0, 2), 1 / 6)
    assert p_of_more(0, 5, 3, 5) == 1
