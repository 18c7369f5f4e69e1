from __future__ import annotations

import math

import numpy as np
import pytest

from components.deployment.rows import Rows
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.bm25 import K1, B, Bm25, Bm25Baseline
from components.tasks.retrieval import Retrieval

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


def test_questions_asked_before_find_an_answer_that_shares_no_word() -> None:
    task = Retrieval(("vector",), ("At nine.", "By card."))
    train = Rows(["what time", "which money", "what hour"], np.array([0, 1, 0]))
    held = Rows(["the time", "my money"], np.array([0, 1]))
    found = Bm25Baseline.tuned(TuningData(task, train, held, "en"))
    assert found.choice.questions
    assert task.values(found.predict(["an hour", "any money?"])) == ["At nine.", "By card."]
    assert "questions of training rows" in str(found.choice)
    assert found.megabytes() > 0
