"""components.analysis.selective: what answering only sure rows buys."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from components.analysis.config import SelectiveConfig
from components.analysis.selective import analyze, area, at_threshold, risk_coverage, threshold_of
from components.analysis.subject import Subject
from components.deployment.rows import Rows
from components.runtime.prediction import softmax
from tests.small_subjects import small_subject


def two(confidences: list[float]) -> np.ndarray:
    """The first of two labels is the likelier one."""
    return np.array([[one, 1 - one] for one in confidences])


def test_the_curve_takes_the_surest_rows_first_and_equal_ones_together() -> None:
    curve = risk_coverage(two([0.7, 0.9, 0.6, 0.9]), np.array([1, 0, 1, 0]))
    assert curve.coverage.tolist() == [0.5, 0.75, 1.0]
    assert curve.risk.tolist() == pytest.approx([0, 1 / 3, 0.5])
    assert curve.threshold.tolist() == [0.9, 0.7, 0.6]


def test_the_area_is_the_mean_risk_over_coverages() -> None:
    assert area(risk_coverage(two([0.9, 0.8]), np.array([0, 1]))) == pytest.approx(0.25)
    assert area(risk_coverage(two([0.9, 0.8]), np.array([1, 0]))) == pytest.approx(0.75)
    assert area(risk_coverage(two([0.8, 0.8]), np.array([0, 1]))) == pytest.approx(0.5)


def test_the_threshold_is_the_least_confidence_that_keeps_the_risk() -> None:
    curve = risk_coverage(two([0.9, 0.8, 0.7, 0.6]), np.array([0, 0, 1, 0]))
    assert [threshold_of(curve, risk) for risk in (0.0, 0.25, 0.5)] == [0.8, 0.6, 0.6]
    assert threshold_of(risk_coverage(two([0.9]), np.array([1])), 0.5) == np.inf
    assert at_threshold(two([0.9]), np.array([1]), np.inf) == (0.0, 0.0)


@pytest.fixture
def subject() -> Subject:
    """Right as often as it says, with other validation rows than test rows."""
    generator = np.random.default_rng(1)
    probabilities = softmax(3 * generator.normal(size=(4000, 3)))
    targets = (probabilities.cumsum(axis=1) > generator.random((4000, 1))).argmax(axis=1)
    test, validation = probabilities[:2000], probabilities[2000:]
    made = small_subject("abc", ["x"] * 2000, targets[:2000], test.argmax(axis=1), test)
    return replace(made, validation=Rows(["x"] * 2000, targets[2000:]), validation_probabilities=validation)


def test_a_threshold_from_validation_rows_keeps_about_the_risk_on_test_rows(subject: Subject) -> None:
    found = analyze(SelectiveConfig(risk=0.05), subject)
    assert found is not None
    assert found.metrics["risk"] > 0.1
    assert found.metrics["risk_at_threshold"] == pytest.approx(0.05, abs=0.025)
    assert 0.3 < found.metrics["coverage_at_threshold"] < 0.95
    assert found.metrics["aurc"] < found.metrics["risk"] / 2
    assert "chosen on the validation rows for 5.0%" in found.sentences[0]


def test_the_plot_has_few_points_up_to_every_row(subject: Subject) -> None:
    found = analyze(SelectiveConfig(risk=0.05), subject)
    assert found is not None
    table = found.plots["risk_coverage"]
    assert table.header == ("coverage", "risk")
    assert len(table.rows) <= 200
    assert table.rows[-1] == (1.0, found.metrics["risk"])


def test_a_risk_that_no_confidence_keeps_is_said() -> None:
    found = analyze(SelectiveConfig(risk=0.0), small_subject("ab", ["x"], [1], [0], two([0.9])))
    assert found is not None
    assert found.sentences == (
        "100.0% of all answers are wrong; no confidence keeps that at 0.0% on the validation rows",
    )
    assert found.metrics["threshold"] == 1.0


def test_a_kind_without_probabilities_has_no_curve() -> None:
    assert analyze(SelectiveConfig(risk=0.05), small_subject("ab", ["x", "y"], [0, 1], [0, 1])) is None
