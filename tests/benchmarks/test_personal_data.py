"""The cases are sound and many, and what scrubs keeps to its bounds on them."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.personal_data import Case, clean, datatrove, expected, read_cases, scores
from components.corpus.personal_data import KINDS, scrubbed

MIN_RECALL = 0.98
MAX_ALARMS = 0.005
CASES = read_cases()


def test_there_are_cases_of_every_kind_and_of_none_in_both_languages() -> None:
    counts = Counter((case.kind, case.language) for case in CASES)
    assert len(CASES) >= 400
    assert len({case.text for case in CASES}) == len(CASES)
    for language in ("en", "zh"):
        assert counts["", language] >= 100
        assert all(counts[kind, language] >= 10 for kind in KINDS)
    assert all(case.value in case.text if case.kind else case.about for case in CASES)


@pytest.mark.parametrize("kind", [*KINDS, "any"])
def test_each_kind_is_found_and_hardly_ever_seen_where_it_is_not(kind: str) -> None:
    score = scores(CASES, clean)[kind]
    assert score.recall >= MIN_RECALL
    assert score.alarm_share <= MAX_ALARMS


def test_what_was_scrubbed_is_scrubbed_of_nothing_more() -> None:
    assert all(scrubbed(expected(case), KINDS) == (expected(case), []) for case in CASES)


def test_a_score_counts_what_was_left_and_what_was_taken_wrongly() -> None:
    cases = [Case("a@b.com", "en", "email", "a@b.com"), Case("c@d.com", "en", "email", "c@d.com"), Case("x", "en")]
    score = scores(cases, lambda text: {"a@b.com": "<EMAIL>", "c@d.com": "c@d.com"}.get(text, "<EMAIL>"))["email"]
    assert (score.recall, score.alarm_share) == (0.5, 1.0)


def test_the_peer_is_the_one_that_curation_would_use_else() -> None:
    assert datatrove()("write to a@lianzi.org") == "write to <EMAIL>"
