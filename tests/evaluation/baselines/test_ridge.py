from __future__ import annotations

import numpy as np
import pytest

from components.deployment.rows import Rows
from components.errors import DataError
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.ridge import STRENGTHS, RidgeBaseline
from components.tasks.metrics import Pearson, score
from components.tasks.regression import Regression

TASK = Regression(("number",))
WORDS = ["poor", "dull", "fair", "good", "great"]


def stars(count: int, seed: int) -> Rows:
    """Texts of five words; their number is the mean worth of the words."""
    worth = np.random.default_rng(seed).integers(5, size=(count, 5))
    return Rows([" ".join(WORDS[one] for one in row) for row in worth], worth.mean(axis=1))


def test_the_worth_of_words_is_learned() -> None:
    test = stars(50, 2)
    fitted = RidgeBaseline.tuned(TuningData(TASK, stars(200, 0), stars(50, 1), "en"))
    assert score(Pearson(), test.targets, fitted.predict(test.texts)) > 0.9
    assert fitted.megabytes() > 0
    assert fitted.choice.strength in STRENGTHS
    assert set(fitted.choice.metrics()) == {"characters", "longest_n_gram", "min_df", "alpha"}
    assert str(fitted.choice).endswith(f"alpha {fitted.choice.strength:g}")


def test_the_same_rows_give_the_same_weights() -> None:
    one, two = (RidgeBaseline.tuned(TuningData(TASK, stars(60, 0), stars(30, 1), "en")) for _ in range(2))
    assert np.array_equal(one.model.coef_, two.model.coef_)


def test_rows_without_words_are_refused() -> None:
    empty = Rows(["", ""], np.array([0.0, 1.0]))
    with pytest.raises(DataError, match="no words to count"):
        RidgeBaseline.tuned(TuningData(TASK, empty, empty, "en"))
