"""Classification metrics, and bootstrap intervals of them.

Labels are integers 0 … classes-1, except where a list of labels is asked for. All metrics are functions of the
confusion matrix, so the bootstrap resamples rows once, counts confusion matrices, and gets every metric from them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np


def confusion_matrix(actual: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts, int64 (classes, classes): rows are actual labels, columns predicted ones."""
    return np.bincount(actual * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def accuracy(actual: np.ndarray, predicted: np.ndarray) -> float:
    """The share of rows with the right label."""
    return float((actual == predicted).mean())


def macro_f1(actual: Iterable[Hashable], predicted: Iterable[Hashable], labels: Iterable[Hashable]) -> float:
    """The unweighted mean of the F1 of each of `labels` that occurs among actual or predicted ones.

    The one definition, of training, quantization, evaluation and release alike: a label that stands in no row and in no
    answer has no F1, and one that is there and never found has 0.
    """
    index = {label: number for number, label in enumerate(labels)}
    rows, answers = (np.array([index[label] for label in given], dtype=np.int64) for given in (actual, predicted))
    return float(macro_f1_of(confusion_matrix(rows, answers, len(index))))


def macro_f1_of(matrices: np.ndarray) -> np.ndarray:
    """Macro-F1 of each confusion matrix (…, classes, classes)."""
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    counted = matrices.sum(axis=-1) + matrices.sum(axis=-2)
    present = counted > 0
    scores = np.divide(2 * hits, counted, out=np.zeros(counted.shape), where=present)
    return scores.sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)


def accuracy_of(matrices: np.ndarray) -> np.ndarray:
    """Accuracy of each confusion matrix (…, classes, classes)."""
    return np.trace(matrices, axis1=-2, axis2=-1) / np.maximum(matrices.sum(axis=(-2, -1)), 1)


def per_class(actual: np.ndarray, predicted: np.ndarray, labels: list[str]) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and support of each label; 0 where nothing was predicted or nothing is there."""
    matrix = confusion_matrix(actual, predicted, len(labels))
    hits, support, claimed = np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return {
        label: {
            "precision": round(float(hits[number] / max(claimed[number], 1)), 6),
            "recall": round(float(hits[number] / max(support[number], 1)), 6),
            "f1": round(float(2 * hits[number] / max(support[number] + claimed[number], 1)), 6),
            "support": int(support[number]),
        }
        for number, label in enumerate(labels)
    }


@dataclass(frozen=True)
class Interval:
    """A value and the ends of its percentile bootstrap interval (Efron 1979)."""

    value: float
    low: float
    high: float

    def metrics(self) -> dict[str, float]:
        return {name: round(getattr(self, name), 6) for name in ("value", "low", "high")}


class Bootstrap:
    """Resamples of the test rows, drawn once, so that every system is scored on the same ones: intervals of
    differences are paired (Berg-Kirkpatrick et al. 2012)."""

    def __init__(self, actual: np.ndarray, classes: int, samples: int, confidence: float, seed: int) -> None:
        self.actual, self.classes = actual, classes
        self.tails = [50 * (1 - confidence), 50 * (1 + confidence)]
        self.drawn = np.random.default_rng(seed).integers(len(actual), size=(samples, len(actual)), dtype=np.int32)

    def matrices(self, predicted: np.ndarray) -> np.ndarray:
        """Confusion matrices (1 + samples, classes, classes); the first is that of the rows themselves."""
        cells = self.classes * self.classes
        pairs = self.actual * self.classes + predicted
        offsets = np.arange(len(self.drawn), dtype=np.int64)[:, None] * cells
        counts = np.bincount((pairs[self.drawn] + offsets).ravel(), minlength=len(self.drawn) * cells)
        whole = np.bincount(pairs, minlength=cells)
        return np.concatenate([whole, counts]).reshape(-1, self.classes, self.classes)

    def macro_f1(self, predicted: np.ndarray) -> Interval:
        """Macro-F1 of a system with its interval."""
        return self._interval(macro_f1_of(self.matrices(predicted)))

    def accuracy(self, predicted: np.ndarray) -> Interval:
        """Accuracy of a system with its interval."""
        return self._interval(accuracy_of(self.matrices(predicted)))

    def scores(self, predicted: np.ndarray) -> dict[str, float]:
        """Accuracy and macro-F1 of a system, with the ends of their intervals."""
        found: dict[str, float] = {}
        for name, interval in (("accuracy", self.accuracy(predicted)), ("macro_f1", self.macro_f1(predicted))):
            found |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
        return {name: round(value, 6) for name, value in found.items()}

    def gain(self, before: np.ndarray, after: np.ndarray) -> Interval:
        """How much macro-F1 `after` has over `before`, on the same resamples."""
        return self._interval(macro_f1_of(self.matrices(after)) - macro_f1_of(self.matrices(before)))

    def gains(self, before: np.ndarray, after: np.ndarray) -> dict[str, dict[str, float]]:
        """How much accuracy and macro-F1 `after` has over `before`, each with its interval, on the same resamples."""
        ours, theirs = self.matrices(after), self.matrices(before)
        return {
            name: self._interval(of(ours) - of(theirs)).metrics()
            for name, of in (("accuracy", accuracy_of), ("macro_f1", macro_f1_of))
        }

    def _interval(self, values: np.ndarray) -> Interval:
        low, high = np.percentile(values[1:], self.tails)
        return Interval(float(values[0]), float(low), float(high))
