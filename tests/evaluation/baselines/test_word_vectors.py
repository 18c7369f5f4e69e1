from __future__ import annotations

import numpy as np
import pytest

from components.deployment.rows import Rows
from components.errors import DataError
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.word_vectors import SIZE, STRENGTHS, SkipGram, WordVectors
from components.tasks.classification import Classification
from tests.small_artifacts import sentences

LABELS = ("city", "sea")
TASK = Classification(LABELS)


def rows(count: int, seed: int) -> Rows:
    made = [pair for pair in sentences(2 * count, seed) if pair[1] in LABELS][:count]
    return Rows([text for text, _ in made], np.array([LABELS.index(label) for _, label in made]))


def cosine(vectors: WordVectors, one: str, other: str) -> float:
    first, second = (vectors.matrix[vectors.numbers[word]] for word in (one, other))
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def test_words_in_like_contexts_have_like_vectors() -> None:
    texts = [f"{animal} {verb} {food}".split() for animal in ("cat", "dog") for verb in "abcdef" for food in "ghijkl"]
    texts += [f"{ship} {wave} {wind}".split() for ship in ("brig", "yawl") for wave in "mnopqr" for wind in "stuvwx"]
    vectors = WordVectors.of(texts, seed=1)
    assert cosine(vectors, "cat", "dog") > cosine(vectors, "cat", "yawl")
    assert np.array_equal(vectors.matrix, WordVectors.of(texts, seed=1).matrix)


def test_a_mean_leaves_out_what_was_not_seen_and_weighs_frequent_words_less() -> None:
    """`a` is 3 of 4 words: its weight is 0.001 / (0.001 + 0.75), that of `b` 0.001 / (0.001 + 0.25)."""
    vectors = WordVectors.of([["a", "a", "a", "b"]], seed=1)
    a, b = (vectors.matrix[vectors.numbers[word]] for word in "ab")
    wa, wb = 0.001 / 0.751, 0.001 / 0.251
    assert vectors.mean("a b new") == pytest.approx((wa * a + wb * b) / (wa + wb), rel=1e-5)
    assert not vectors.mean("new").any()
    assert vectors.mean(("a", "b")).shape == (4 * SIZE,)


def test_a_linear_layer_over_means_learns_a_task_of_words() -> None:
    fitted = SkipGram.tuned(TuningData(TASK, rows(120, 0), rows(30, 1), "en"))
    test = rows(40, 2)
    assert (fitted.predict(test.texts) == test.targets).mean() > 0.9
    assert fitted.choice.strength in STRENGTHS
    assert fitted.choice.metrics() == {"c": fitted.choice.strength}
    assert fitted.megabytes() > 0


def test_rows_without_words_are_refused() -> None:
    with pytest.raises(DataError, match="no words to learn vectors of"):
        WordVectors.of([[], []], seed=1)
