from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.deployment.rows import Rows
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.n_grams import ORDERS, NGrams
from components.tasks.generation import PART, Generation
from components.tasks.language_model import LABELS
from components.tasks.metrics import Perplexity, score
from tests.small_artifacts import sentences


def rows(count: int, seed: int) -> Rows:
    texts = [text for text, _ in sentences(count, seed)]
    return Rows(texts, np.zeros(count))


@pytest.fixture
def baseline(tokenizer_folder: Path) -> NGrams:
    made = {"max_length": 24, "stop_ids": [2], "chat_template": None, "special_tokens": {}}
    return NGrams.tuned(TuningData(Generation(LABELS), rows(80, 1), rows(20, 2), "en", tokenizer_folder, made))


def test_pairs_say_more_than_tokens_alone(baseline: NGrams) -> None:
    test = rows(30, 3)
    assert baseline.choice.order in ORDERS[1:]
    answers = baseline.predict(test.texts)
    perplexity = score(Perplexity(), test.targets, answers)
    assert 1 < perplexity < baseline.encode.tokenizer.get_vocab_size() / 10
    assert baseline.megabytes() > 0
    assert baseline.choice.metrics() == {"order": baseline.choice.order}
    assert str(baseline.choice) == f"up to {baseline.choice.order} tokens"


def test_answers_have_the_form_of_a_language_models(baseline: NGrams) -> None:
    """Of each token but the first, and so nothing in the last place."""
    answers = baseline.predict(["ship wave", "ship"])
    length = len(baseline.encode.tokenizer.encode("ship wave", add_special_tokens=False).ids) + 1
    assert answers.shape == (2, length, 2)
    assert answers.dtype == np.float32
    assert not np.isnan(answers[0, :-1]).any()
    assert np.isnan(answers[0, -1]).all()


def test_of_a_prompt_and_its_completion_the_answer_alone_is_scored(baseline: NGrams) -> None:
    whole, answer = baseline.predict(["ship wave harbour sail", f"ship wave{PART} harbour sail"])
    assert (~np.isnan(whole[:, 0])).sum() > (~np.isnan(answer[:, 0])).sum() > 0
