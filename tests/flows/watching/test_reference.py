"""The bins that later requests are counted in."""

from __future__ import annotations

from flows.watching.reference import Answered, counts


def test_rows_are_counted_by_length_answer_and_confidence() -> None:
    rows = [Answered("ab", "sea", 0.2), Answered("abcd", "sea", 0.9), Answered("", "city", None)]
    assert counts(rows, [0.5], labels=True) == {
        "length": {"0": 1, "2": 1, "4": 1},
        "answer": {"city": 1, "sea": 2},
        "confidence": {"above 0.5000": 1, "to 0.5000": 1},
    }


def test_texts_without_scores_have_their_lengths_alone() -> None:
    assert counts([Answered("ab", "a story", None)], [], labels=False) == {"length": {"2": 1}}
