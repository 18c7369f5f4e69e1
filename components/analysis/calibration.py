"""Calibration: is the candidate right as often as its probabilities say?

The expected calibration error is the mean distance of confidence and accuracy over bins of rows (Guo et al. 2017), here
of equally many rows each (Nguyen and O'Connor 2015): of a good model most rows are among the surest, and bins of equal
width would be empty but for the last. A calibrated model has an error above 0 too, on few rows a large one: beside it
stands the error that such a model exceeds in one of twenty draws (Bröcker and Smith 2007).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from components.analysis.subject import Analysis, Subject, Table
from components.deployment.temperature import fit_temperature
from components.runtime.manifest import read_bundle
from components.runtime.prediction import softmax

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from components.analysis.config import CalibrationConfig

DRAWS = 500
AT_ONCE = 1 << 20
"""Random numbers of the draws that are held at once."""
SMALL = float(np.finfo(np.float32).tiny)
"""The least probability of which a logarithm is taken."""


def analyze(config: CalibrationConfig, subject: Subject) -> Analysis | None:
    """Of the test rows, before and after the temperature that fits the validation rows; None without probabilities."""
    probabilities, validation = subject.probabilities, subject.validation_probabilities
    if probabilities is None or validation is None:
        return None
    targets = subject.test.targets
    temperature = fit_temperature(logits_of(validation), subject.validation.targets)
    fitted = softmax(logits_of(probabilities) / temperature)
    before, after = (_measured(given, targets, config.bins) for given in (probabilities, fitted))
    chance = error_by_chance(probabilities, config.bins, subject.confidence, subject.seed)
    confidence, accuracy, rows = reliability(probabilities, targets, config.bins)
    lean = float(np.average(confidence - accuracy, weights=rows))
    metrics = {
        **before,
        "ece_by_chance": round(chance, 6),
        "overconfidence": round(lean, 6),
        "temperature": temperature,
        **{f"{name}_at_temperature": value for name, value in after.items()},
    }
    divided = "logit_temperature" in read_bundle(subject.bundle)
    table = Table(
        ("confidence", "accuracy", "rows"),
        tuple((round(one, 6), round(two, 6), int(n)) for one, two, n in zip(confidence, accuracy, rows, strict=True)),
    )
    return Analysis(
        metrics,
        (_sentence(before["ece"], chance, lean, temperature, after["ece"], config.bins, divided),),
        {"Calibration": _table(before, after, temperature)},
        {"Reliability": reliability_figure(confidence, accuracy, rows)},
        {"reliability": table},
    )


def logits_of(probabilities: np.ndarray) -> np.ndarray:
    """Logits [rows, labels] that have these probabilities, which tell them but for a number a row."""
    found: np.ndarray = np.log(np.maximum(probabilities.astype(np.float64), SMALL))
    return found


def reliability(probabilities: np.ndarray, targets: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean confidence, accuracy and rows of each bin, the least sure first: [bins] each, fewer where rows are fewer."""
    confidence, hits = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    parts = np.array_split(np.argsort(confidence, kind="stable"), min(bins, len(targets)))
    mean, share = ([float(values[part].mean()) for part in parts] for values in (confidence, hits))
    return np.array(mean), np.array(share), np.array([len(part) for part in parts])


def calibration_error(probabilities: np.ndarray, targets: np.ndarray, bins: int) -> float:
    """The expected calibration error: between 0 and 1."""
    confidence, accuracy, rows = reliability(probabilities, targets, bins)
    return float(np.average(np.abs(confidence - accuracy), weights=rows))


def error_by_chance(probabilities: np.ndarray, bins: int, confidence: float, seed: int) -> float:
    """The calibration error that a model with true probabilities exceeds in a share of 1 - `confidence` of draws."""
    sure = np.sort(probabilities.max(axis=1))
    parts = np.array_split(np.arange(len(sure)), min(bins, len(sure)))
    starts, sizes = [part[0] for part in parts], np.array([len(part) for part in parts])
    random, block = np.random.default_rng(seed), max(1, AT_ONCE // len(sure))
    hits = [
        np.add.reduceat(random.random((min(block, DRAWS - first), len(sure))) < sure, starts, axis=1, dtype=np.int64)
        for first in range(0, DRAWS, block)
    ]
    off = np.abs(np.concatenate(hits) - np.add.reduceat(sure, starts)) / sizes
    return float(np.quantile(np.average(off, axis=1, weights=sizes), confidence))


def brier_score(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The mean squared distance of the probabilities from the truth (Brier 1950): from 0, the best, to 2."""
    truth = np.zeros(probabilities.shape)
    truth[np.arange(len(targets)), targets] = 1
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def log_loss(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The mean negative log-likelihood of the targets, in nats."""
    return float(-logits_of(probabilities)[np.arange(len(targets)), targets].mean())


def _measured(probabilities: np.ndarray, targets: np.ndarray, bins: int) -> dict[str, float]:
    found = {
        "ece": calibration_error(probabilities, targets, bins),
        "brier": brier_score(probabilities, targets),
        "log_loss": log_loss(probabilities, targets),
    }
    return {name: round(value, 6) for name, value in found.items()}


def _sentence(
    error: float, chance: float, lean: float, temperature: float, after: float, bins: int, divided: bool
) -> str:
    """divided: whether the bundle's logits have a temperature already, so that no setting is left to advise."""
    told = f"confidence and accuracy are {error:.3f} apart on average (ECE, {bins} bins of equally many rows)"
    if error <= chance:
        return f"{told}, no more than chance makes of a calibrated model ({chance:.3f})"
    how = "too sure" if lean > 0 else "not sure enough"
    kind = "a further temperature" if divided else "a temperature"
    advice = f"{kind} of {temperature:.3g}, fitted to the validation rows, leaves {after:.3f}"
    more = " (export.temperature: fitted)" if after < error and not divided else ""
    return f"{told}, beyond the {chance:.3f} of chance: the model is {how}; {advice}{more}"


def _table(before: dict[str, float], after: dict[str, float], temperature: float) -> Table:
    titles = {"ece": "expected calibration error", "brier": "Brier score", "log_loss": "log loss, nats"}
    rows = tuple((titles[name], before[name], after[name]) for name in before)
    return Table(("", "as it is", f"at temperature {temperature:.3g}"), rows)


def reliability_figure(confidence: np.ndarray, accuracy: np.ndarray, rows: np.ndarray) -> Figure:
    """Accuracy against confidence, a point a bin; on the line both are the same."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#8a96a3", linewidth=1)
    axes.plot(confidence, accuracy, "o-", color="#0f6fc5", markersize=5)
    axes.set(
        xlabel=f"confidence, {len(rows)} bins of {int(rows.max())} rows", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1)
    )
    axes.grid(color="#dde3e9")
    return figure
