"""components.analysis.calibration: whether a model is right as often as it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from components.analysis import calibration
from components.analysis.calibration import (
    analyze,
    brier_score,
    calibration_error,
    error_by_chance,
    log_loss,
    reliability,
)
from components.analysis.config import CalibrationConfig
from components.analysis.subject import Analysis
from components.runtime.prediction import softmax
from tests.small_bundles import CLASSIFIER, bundle
from tests.small_subjects import small_subject

CONFIG = CalibrationConfig(bins=15)
ROWS = 2000
GENERATOR = np.random.default_rng(7)
LOGITS = GENERATOR.normal(size=(ROWS, 4)) * 2
TRUE = softmax(LOGITS)
TARGETS = (TRUE.cumsum(axis=1) > GENERATOR.random((ROWS, 1))).argmax(axis=1)
"""Drawn from the probabilities: these are calibrated."""


Said = Callable[..., Analysis]


@pytest.fixture
def said(tmp_path: Path) -> Said:
    """Of a model whose logits are so many times too large; `made`: what its manifest says."""

    def analyzed(sharpness: float, **made: Any) -> Analysis:
        bundle(tmp_path, CLASSIFIER | made)
        probabilities = softmax(sharpness * LOGITS)
        answers = probabilities.argmax(axis=1)
        subject = small_subject("abcd", ["x"] * ROWS, TARGETS, answers, probabilities, bundle=tmp_path)
        found = analyze(CONFIG, subject)
        assert found is not None
        return found

    return analyzed


def test_a_calibrated_model_is_as_far_off_as_chance_makes_it(said: Said) -> None:
    found = said(1.0)
    assert found.metrics["ece"] <= found.metrics["ece_by_chance"] < 0.05
    assert found.metrics["temperature"] == pytest.approx(1.0, abs=0.1)
    assert "no more than chance makes of a calibrated model" in found.sentences[0]


@pytest.mark.parametrize(("sharpness", "told"), [(3.0, "too sure"), (0.4, "not sure enough")])
def test_the_temperature_brings_a_model_that_is_off_back(said: Said, sharpness: float, told: str) -> None:
    found = said(sharpness)
    assert found.metrics["ece"] > 2 * found.metrics["ece_by_chance"]
    assert found.metrics["temperature"] == pytest.approx(sharpness, rel=0.1)
    assert found.metrics["ece_at_temperature"] < min(0.03, found.metrics["ece"] / 3)
    assert found.metrics["log_loss_at_temperature"] < found.metrics["log_loss"]
    assert (found.metrics["overconfidence"] > 0) == (told == "too sure")
    assert told in found.sentences[0]
    assert "export.temperature: fitted" in found.sentences[0]


def test_a_bundle_with_a_temperature_is_not_told_to_have_one(said: Said) -> None:
    told = said(3.0, logit_temperature=1.2).sentences[0]
    assert "a further temperature of" in told
    assert "export.temperature" not in told


def test_the_draws_may_be_held_a_few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = error_by_chance(TRUE, 15, 0.95, 0)
    monkeypatch.setattr(calibration, "AT_ONCE", 7 * ROWS)
    assert error_by_chance(TRUE, 15, 0.95, 0) == whole


def test_bins_have_equally_many_rows_from_the_least_sure_to_the_surest() -> None:
    confidence, accuracy, rows = reliability(TRUE, TARGETS, 15)
    assert rows.sum() == ROWS
    assert rows.max() - rows.min() <= 1
    assert (np.diff(confidence) > 0).all()
    assert ((accuracy >= 0) & (accuracy <= 1)).all()
    assert len(reliability(TRUE[:3], TARGETS[:3], 15)[2]) == 3


def test_the_calibration_error_is_the_mean_distance_of_confidence_and_accuracy() -> None:
    probabilities = np.array([[0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [0.9, 0.1]])
    # Half of the less sure are right, all of the surer.
    assert calibration_error(probabilities, np.array([0, 1, 0, 0]), 2) == pytest.approx((0.1 + 0.1) / 2)
    assert calibration_error(probabilities, np.array([1, 1, 1, 1]), 1) == pytest.approx(0.75)


def test_the_error_by_chance_shrinks_with_the_rows() -> None:
    few, many = (error_by_chance(TRUE[:rows], 15, 0.95, 0) for rows in (100, ROWS))
    assert many < few / 2


def test_brier_score_and_log_loss_are_those_of_scikit_learn() -> None:
    assert log_loss(TRUE, TARGETS) == pytest.approx(sklearn_log_loss(TARGETS, TRUE))
    two, hits = TRUE[:, :2] / TRUE[:, :2].sum(axis=1, keepdims=True), TARGETS % 2
    # Over both labels: twice what is usual for two.
    assert brier_score(two, hits) == pytest.approx(2 * brier_score_loss(hits, two[:, 1]))


def test_the_plot_has_a_row_a_bin(said: Said) -> None:
    table = said(2.0).plots["reliability"]
    assert table.header[:2] == ("confidence", "accuracy")
    assert len(table.rows) == 15


def test_a_kind_without_probabilities_has_nothing_to_calibrate() -> None:
    assert analyze(CONFIG, small_subject("ab", ["x", "y"], [0, 1], [0, 1])) is None
