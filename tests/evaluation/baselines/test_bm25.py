from __future__ import annotations

import math

import pytest

from components.evaluation.baselines.bm25 import K1, B, Bm25

PASSAGES = ["The ship and the sea", "The city", "床前明月光"]


def test_scores_are_those_of_the_formula() -> None:
    """`the` stands in 2 of 3 passages, twice in the first, whose 5 words are 5 / 4 of the mean."""
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    of_first = idf * 2 / (2 + K1 * (1 - B + B * 5 / 4))
    of_second = idf * 1 / (1 + K1 * (1 - B + B * 2 / 4))
    assert Bm25.of(PASSAGES).scores(["the"])[0] == pytest.approx([of_first, of_second, 0])


def test_the_passage_with_the_querys_words_comes_first() -> None:
    found = Bm25.of(PASSAGES).scores(["a city by the sea", "明月幾時有", "nothing of it"])
    assert found.argmax(axis=1)[:2].tolist() == [1, 2]
    assert not found[2].any()
    assert not Bm25.of([""]).scores([""]).any()
