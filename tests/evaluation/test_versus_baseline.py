from __future__ import annotations

import pytest

from components.evaluation.versus_baseline import sentence, shortfall, signed
from components.tasks.classification import Classification
from components.tasks.generation import Generation
from components.tasks.regression import Regression

TASK = Classification(("sea", "city"))
BELOW = {"value": -0.061, "low": -0.084, "high": -0.038}
LEVEL = {"value": -0.012, "low": -0.03, "high": 0.004}
ABOVE = {"value": 0.05, "low": 0.03, "high": 0.07}


def test_both_measures_are_told_with_their_intervals() -> None:
    assert sentence({"macro_f1": BELOW, "accuracy": LEVEL}, TASK) == (
        "macro-F1 below counting words by 0.061 (-0.084 to -0.038), "
        "accuracy level with counting words, -0.012 (-0.030 to 0.004), on the same rows"
    )
    assert "macro-F1 above counting words by 0.050 (0.030 to 0.070)" in sentence(
        {"macro_f1": ABOVE, "accuracy": ABOVE}, TASK
    )


@pytest.mark.parametrize(
    ("macro_f1", "accuracy", "least", "told"),
    [
        (BELOW, LEVEL, 0.0, "below counting words by 0.061 (-0.084 to -0.038) in macro-F1 on the same rows"),
        (LEVEL, BELOW, 0.0, "below counting words by 0.061 (-0.084 to -0.038) in accuracy on the same rows"),
        (LEVEL, LEVEL, 0.0, ""),
        (ABOVE, ABOVE, 0.0, ""),
        (BELOW, BELOW, -0.05, ""),
        (ABOVE, ABOVE, 0.1, "above counting words by 0.050 (0.030 to 0.070) in macro-F1 on the same rows"),
    ],
)
def test_too_little_is_a_whole_interval_below(
    macro_f1: dict[str, float], accuracy: dict[str, float], least: float, told: str
) -> None:
    assert shortfall({"macro_f1": macro_f1, "accuracy": accuracy}, least, TASK) == told


def test_an_error_that_is_smaller_is_better_and_never_measured_against_a_score() -> None:
    task, good = Regression(("number",)), {"pearson": ABOVE, "spearman": ABOVE}
    error = "mean_absolute_error"
    assert "mean absolute error better than counting words by 0.050 (0.030 to 0.070)" in sentence(
        {**good, error: ABOVE}, task
    )
    assert "mean absolute error worse than counting words by 0.061 (0.038 to 0.084)" in sentence(
        {**good, error: BELOW}, task
    )
    assert shortfall({**good, error: BELOW}, 0.0, task) == ""


def test_perplexity_is_compared_in_nats_and_counts_as_a_score() -> None:
    task = Generation(("token",))
    worse = "worse than counting n-grams by 0.061 (0.038 to 0.084) nats a token"
    assert sentence({"perplexity": BELOW}, task) == f"perplexity {worse}, on the same rows"
    assert shortfall({"perplexity": BELOW}, 0.0, task) == f"{worse} in perplexity on the same rows"
    assert shortfall({"perplexity": LEVEL}, 0.0, task) == ""


def test_a_gain_has_its_sign() -> None:
    assert signed(ABOVE) == "+0.050 (+0.030 to +0.070)"
