from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support
from sklearn.metrics import confusion_matrix as sklearn_matrix

from components.evaluation.metrics import Bootstrap, accuracy, confusion_matrix, macro_f1, per_class

GENERATOR = np.random.default_rng(5)
ACTUAL = GENERATOR.integers(4, size=300)
GOOD = np.where(GENERATOR.random(300) < 0.8, ACTUAL, GENERATOR.integers(4, size=300))
BAD = np.where(GENERATOR.random(300) < 0.5, ACTUAL, GENERATOR.integers(4, size=300))


def bootstrap(samples: int = 400, confidence: float = 0.95, seed: int = 1) -> Bootstrap:
    return Bootstrap(ACTUAL, 4, samples, confidence, seed)


def test_metrics_are_those_of_scikit_learn() -> None:
    assert accuracy(ACTUAL, GOOD) == pytest.approx(accuracy_score(ACTUAL, GOOD))
    assert macro_f1(ACTUAL, GOOD, range(4)) == pytest.approx(f1_score(ACTUAL, GOOD, average="macro"))
    assert np.array_equal(confusion_matrix(ACTUAL, GOOD, 4), sklearn_matrix(ACTUAL, GOOD))


def test_labels_may_be_words() -> None:
    words = np.array(["a", "b", "c", "d"])
    assert macro_f1(words[ACTUAL], words[GOOD], list(words)) == macro_f1(ACTUAL, GOOD, range(4))


def test_a_class_that_does_not_occur_does_not_count() -> None:
    assert macro_f1([0, 1], [0, 1], range(5)) == 1
    assert macro_f1([0, 0], [0, 1], range(5)) == pytest.approx(1 / 3)


def test_per_class_figures_are_those_of_scikit_learn() -> None:
    found = per_class(ACTUAL, GOOD, ["a", "b", "c", "d"])
    expected = zip(*precision_recall_fscore_support(ACTUAL, GOOD), strict=True)
    for label, (precision, recall, f1, support) in zip("abcd", expected, strict=True):
        assert found[label] == pytest.approx(
            {"precision": precision, "recall": recall, "f1": f1, "support": support}, abs=1e-6
        )


def test_a_class_without_rows_or_answers_scores_nothing() -> None:
    assert per_class(np.array([0]), np.array([0]), ["a", "b"])["b"] == {
        "precision": 0,
        "recall": 0,
        "f1": 0,
        "support": 0,
    }


def test_resamples_count_what_a_loop_counts() -> None:
    drawn = bootstrap(100)
    matrices = drawn.matrices(GOOD)
    assert np.array_equal(matrices[0], confusion_matrix(ACTUAL, GOOD, 4))
    for matrix, rows in zip(matrices[1:], drawn.drawn, strict=True):
        assert np.array_equal(matrix, confusion_matrix(ACTUAL[rows], GOOD[rows], 4))


def test_an_interval_holds_its_value_and_widens_with_confidence() -> None:
    narrow, wide = (bootstrap(confidence=confidence).macro_f1(GOOD) for confidence in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high
    assert narrow.value == wide.value == macro_f1(ACTUAL, GOOD, range(4))


def test_a_gain_is_paired_and_nothing_over_itself() -> None:
    gain = bootstrap().gain(BAD, GOOD)
    assert gain.low > 0
    assert gain.value == pytest.approx(macro_f1(ACTUAL, GOOD, range(4)) - macro_f1(ACTUAL, BAD, range(4)))
    assert bootstrap().gain(GOOD, GOOD).metrics() == {"value": 0, "low": 0, "high": 0}


def test_gains_are_those_of_accuracy_and_of_macro_f1() -> None:
    gains = bootstrap().gains(BAD, GOOD)
    assert gains["macro_f1"] == bootstrap().gain(BAD, GOOD).metrics()
    assert gains["accuracy"]["value"] == pytest.approx(accuracy(ACTUAL, GOOD) - accuracy(ACTUAL, BAD), abs=1e-6)
    assert gains["accuracy"]["low"] > 0


def test_the_same_seed_draws_the_same_interval() -> None:
    assert bootstrap(seed=3).scores(GOOD) == bootstrap(seed=3).scores(GOOD)
    assert bootstrap(seed=3).scores(GOOD) != bootstrap(seed=4).scores(GOOD)


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Accuracy 0.7 on 200 rows, 95 %: of 100 intervals some 95 hold 0.7."""
    held = 0
    for seed in range(100):
        hits = np.random.default_rng(seed).random(200) < 0.7
        interval = Bootstrap(np.ones(200, dtype=np.int64), 2, 300, 0.95, seed).accuracy(hits.astype(np.int64))
        held += interval.low <= 0.7 <= interval.high
    assert held >= 88
