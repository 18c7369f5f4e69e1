from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, rankdata, spearmanr
from sklearn.metrics import accuracy_score, f1_score

from components.tasks.metrics import (
    Accuracy,
    MacroF1,
    MeanAbsoluteError,
    Metric,
    Pearson,
    Spearman,
    macro_f1,
    ranks,
    score,
)

NUMBERS = st.floats(-1e6, 1e6).map(lambda number: round(number, 3))
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=40)
LABELS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


def both(pairs: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    one, other = np.array(pairs).T
    return one, other


@given(LABELS)
def test_macro_f1_and_accuracy_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    targets, answers = both(pairs)
    assert score(MacroF1(5), targets, answers) == pytest.approx(f1_score(targets, answers, average="macro"))
    assert score(Accuracy(), targets, answers) == accuracy_score(targets, answers)


def test_a_label_without_rows_and_answers_does_not_count_and_one_never_found_counts_as_0() -> None:
    zeros = np.zeros(2, dtype=np.int64)
    assert score(MacroF1(5), np.array([0, 1]), np.array([0, 1])) == 1
    assert score(MacroF1(5), zeros, np.array([0, 1])) == pytest.approx(1 / 3)
    assert macro_f1(["a", "b"], ["a", "a"], ["a", "b", "c"]) == pytest.approx(1 / 3)


@given(PAIRS)
@settings(max_examples=200)
@pytest.mark.parametrize(("metric", "theirs"), [(Pearson(), pearsonr), (Spearman(), spearmanr)])
def test_correlations_are_scipys(metric: Metric, theirs: object, pairs: list[tuple[float, float]]) -> None:
    targets, answers = both(pairs)
    # Nearly constant numbers have a correlation of rounding errors, of which scipy warns.
    assume(all(np.std(side) > 1e-4 * np.abs(side).max() for side in (targets, answers)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = theirs(targets, answers).statistic  # type: ignore[operator]
    assert score(metric, targets, answers) == pytest.approx(expected, abs=1e-9)


@given(st.lists(NUMBERS, min_size=1, max_size=30))
def test_ranks_are_scipys(values: list[float]) -> None:
    assert ranks(np.array(values)).tolist() == rankdata(values).tolist()


@pytest.mark.parametrize("metric", [Pearson(), Spearman()])
def test_what_is_constant_correlates_with_nothing(metric: Metric) -> None:
    varied, constant = np.array([1.0, 2.0, 4.0]), np.full(3, 0.1)
    assert score(metric, varied, constant) == score(metric, constant, varied) == score(metric, constant, constant) == 0


def test_an_error_is_in_the_numbers_unit_and_better_where_it_is_smaller() -> None:
    error = MeanAbsoluteError()
    assert score(error, np.array([1.0, 3.0]), np.array([2.0, 3.0])) == 0.5
    assert error.improvement(0.5, 0.2) == pytest.approx(0.3)
    assert MacroF1(2).improvement(0.5, 0.2) == pytest.approx(-0.3)


@pytest.mark.parametrize("metric", [MacroF1(3), Accuracy(), Pearson(), Spearman(), MeanAbsoluteError()])
def test_rows_statistics_add_up(metric: Metric) -> None:
    """A metric of every row twice is the metric of every row once."""
    generator = np.random.default_rng(0)
    targets, answers = generator.integers(3, size=20), generator.integers(3, size=20)
    statistics = metric.statistics(targets, answers)
    assert metric.value(2 * statistics.sum(axis=0)) == pytest.approx(score(metric, targets, answers))
