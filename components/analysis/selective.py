"""Selective answers: how often the candidate is wrong if it answers only the rows that it is sure of.

The risk-coverage curve and its area are Geifman and El-Yaniv's (2017): rows are taken the surest first, coverage is
their share, risk is the share of them that is answered wrong. The confidence from which on answers keep the wanted risk
is chosen on the validation rows and tried on the test rows, as a user would have to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from components.analysis.subject import Analysis, Subject, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from components.analysis.config import SelectiveConfig

POINTS = 200
"""At most so many of the curve are written and drawn."""


class Curve(NamedTuple):
    """coverage, risk, and the confidence down to which rows are answered: [thresholds] each, the surest first."""

    coverage: np.ndarray
    risk: np.ndarray
    threshold: np.ndarray


def analyze(config: SelectiveConfig, subject: Subject) -> Analysis | None:
    """None for a kind without probabilities."""
    probabilities, validation = subject.probabilities, subject.validation_probabilities
    if probabilities is None or validation is None:
        return None
    curve = risk_coverage(probabilities, subject.test.targets)
    threshold = threshold_of(risk_coverage(validation, subject.validation.targets), config.risk)
    covered, risk = at_threshold(probabilities, subject.test.targets, threshold)
    metrics = {
        "aurc": round(area(curve), 6),
        "risk": round(float(curve.risk[-1]), 6),
        "threshold": round(min(threshold, 1.0), 6),
        "coverage_at_threshold": round(covered, 6),
        "risk_at_threshold": round(risk, 6),
    }
    shown = np.unique(np.linspace(0, len(curve.risk) - 1, POINTS).astype(int))
    points = zip(curve.coverage[shown].tolist(), curve.risk[shown].tolist(), strict=True)
    table = Table(("coverage", "risk"), tuple((round(one, 6), round(two, 6)) for one, two in points))
    return Analysis(
        metrics,
        (_sentence(config.risk, threshold, covered, risk, float(curve.risk[-1])),),
        figures={"Risk and coverage": risk_coverage_figure(curve, covered, risk)},
        plots={"risk_coverage": table},
    )


def risk_coverage(probabilities: np.ndarray, targets: np.ndarray) -> Curve:
    """Of rows with probabilities [rows, labels]. Rows of equal confidence are answered together: no threshold parts
    them."""
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    sure = confidence[order]
    wrong = np.cumsum((probabilities.argmax(axis=1) != targets)[order])
    ends = np.flatnonzero(np.append(sure[1:] != sure[:-1], True))
    return Curve((ends + 1) / len(targets), wrong[ends] / (ends + 1), sure[ends])


def area(curve: Curve) -> float:
    """Under the curve: the mean risk over all coverages (AURC); 0 is the best."""
    return float((curve.risk * np.diff(curve.coverage, prepend=0)).sum())


def threshold_of(curve: Curve, risk: float) -> float:
    """The least confidence that keeps the risk, on these rows; above every confidence where none does."""
    kept = np.flatnonzero(curve.risk <= risk)
    return float(curve.threshold[kept[-1]]) if len(kept) else np.inf


def at_threshold(probabilities: np.ndarray, targets: np.ndarray, threshold: float) -> tuple[float, float]:
    """Coverage and risk of answering from this confidence on; no answers have no risk."""
    answered = probabilities.max(axis=1) >= threshold
    wrong = probabilities.argmax(axis=1) != targets
    return float(answered.mean()), float(wrong[answered].mean()) if answered.any() else 0.0


def _sentence(asked: float, threshold: float, covered: float, risk: float, all_risk: float) -> str:
    told = f"{all_risk:.1%} of all answers are wrong"
    if not np.isfinite(threshold):
        return f"{told}; no confidence keeps that at {asked:.1%} on the validation rows"
    return (
        f"{told}; from a confidence of {threshold:.2f} on, chosen on the validation rows for {asked:.1%}, "
        f"{risk:.1%} are, of the {covered:.0%} that are answered"
    )


def risk_coverage_figure(curve: Curve, covered: float, risk: float) -> Figure:
    """Risk against coverage; the point is the threshold from the validation rows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(curve.coverage, curve.risk, color="#0f6fc5")
    axes.plot(covered, risk, "o", color="#1f2933", markersize=5)
    axes.set(xlabel="coverage: share of rows that are answered", ylabel="risk: share of wrong answers", xlim=(0, 1))
    axes.set_ylim(bottom=0)
    axes.grid(color="#dde3e9")
    return figure
