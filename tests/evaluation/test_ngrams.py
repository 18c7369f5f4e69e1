from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.deployment.rows import Rows
from components.evaluation.ngrams import WEIGHTS, NgramBaseline
from components.tasks.metrics import Perplexity, score
from tests.small_artifacts import sentences


def rows(count: int, seed: int) -> Rows:
    texts = [text for text, _ in sentences(count, seed)]
    return Rows(texts, np.zeros(count))


@pytest.fixture
def baseline(tokenizer_folder: Path) -> NgramBaseline:
    return NgramBaseline.tuned(rows(80, 1), rows(20, 2), tokenizer_folder / "tokenizer.json", 24, end=2)


def test_what_follows_a_token_adds_up_to_one(baseline: NgramBaseline) -> None:
    first = baseline.tokenizer.encode("ship", add_special_tokens=False).ids[0]
    size = len(baseline.single)
    every = [np.exp(-baseline._scores([first, token])[0, 0]) for token in range(size)]
    assert sum(every) == pytest.approx(1.0, abs=1e-4)


def test_pairs_say_more_than_tokens_alone(baseline: NgramBaseline) -> None:
    test = rows(30, 3)
    assert baseline.choice.weight in WEIGHTS[1:]
    perplexity = score(Perplexity(), test.targets, baseline.predict(test.texts))
    assert 1 < perplexity < len(baseline.single) / 10
    assert baseline.megabytes() > 0
    assert baseline.choice.metrics() == {"pair_weight": baseline.choice.weight}
