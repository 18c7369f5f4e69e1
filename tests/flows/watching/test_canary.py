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
    own = {
        "version": version,
        "answer": "sea",
        "score": 0.9,
        "milliseconds": 4.0,
        "status": 200,
        "canary": version == "2",
    }
    head = {"time": "2026-11-29T00:00:01"}
    every = [head | {"request": f"{version}-{n}", "text": f"ship {n}"} | own | told for n in range(count)]
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
        "canary v2 was no worse: 60 answers to different texts",
        "0 of 60 requests failed, of the champion's 0 of 200",
        "4.0 ms at the median, the champion 4.0 ms, watch.max_slowdown allows 1.5 times",
        "100.0% of answers are the champion's, watch.min_agreement asks for 80%",
        "confidence +0.000 on the same texts, watch.max_confidence_loss allows a loss of 0.05",
    ]


def test_it_goes_on_until_there_are_answers_enough(limits: WatchConfig) -> None:
    assert judged(limits, [], rows("1", 100)).passed is None
    trial = judged(limits, rows("2", 49), rows("1", 100))
    assert (trial.answers, trial.passed) == (49, None)
    assert trial.sentences[0] == "49 of 50 answers to different texts, 50 of 50 by the champion"


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


def test_a_request_of_many_texts_is_one_measurement(limits: WatchConfig) -> None:
    """Batches take longer than single texts, and say nothing of the version that got them."""
    batch = [row | {"request": "batch", "milliseconds": 40.0} for row in rows("2", 500)]
    assert judged(limits, batch, rows("1", 200)).answers == 1
    mixed = [*batch, *(row | {"text": f"{row['text']} again"} for row in rows("2", 60))]
    assert "4.0 ms at the median, the champion 4.0 ms" in judged(limits, mixed, rows("1", 200)).line
    assert judged(limits, rows("2", 60, milliseconds=9.0), [*rows("1", 200), *batch]).passed is False


def test_a_text_that_is_asked_again_and_again_is_one_piece_of_evidence(limits: WatchConfig) -> None:
    trial = judged(limits, rows("2", 200, text="ship"), rows("1", 200))
    assert (trial.answers, trial.passed) == (1, None)


def test_what_was_no_share_of_the_texts_is_not_counted(limits: WatchConfig) -> None:
    assert judged(limits, rows("2", 60, canary=False), rows("1", 200)).answers == 0
    every = [*rows("1", 200), *rows("2", 60)]
    assert judge_canary(every, "1", "2", limits, as_before, since="2026-11-29T00:00:02").answers == 0


def test_without_enough_requests_to_the_champion_it_is_not_judged(limits: WatchConfig) -> None:
    assert judged(limits, rows("2", 60), []).passed is None
    assert judged(limits, rows("2", 60), rows("1", 49)).passed is None


def test_looks_at_failures_share_one_rate_of_false_alarms(limits: WatchConfig) -> None:
    """Two of nine would be too many at one look; the test at eight has had its turn, the next is at sixteen."""
    early = [row | {"time": f"2026-11-29T00:00:{n:02}"} for n, row in enumerate(rows("2", 10))]
    early[8] |= {"status": 500, "text": ""}
    early[9] |= {"status": 500, "text": ""}
    assert p_of_more(2, 10, 0, 200) < limits.false_alarm_rate
    trial = judged(limits, early, rows("1", 200, time="2026-11-29T00:00:00"))
    assert trial.passed is None
    assert "0 of the first 8 requests failed" in trial.line


def test_scrubbed_texts_are_not_compared(limits: WatchConfig) -> None:
    mine = [row | {"text": f"{row['text']} <EMAIL>", "answer": "city"} for row in rows("2", 60)]
    trial = judged(limits, mine, rows("1", 200))
    assert trial.passed
    assert trial.sentences[-1] == "answers were not compared: each text had personal data"


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
