"""Bootstrap intervals of a task's metrics, and what is counted by label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from components.tasks.metrics import Metric
from components.tasks.task import Task

NUMBERS = 2**22
"""Counts of rows in resamples that are in memory at a time."""


def confusion_matrix(actual: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts, int64 (classes, classes): rows are actual labels, columns predicted ones."""
    return np.bincount(actual * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def per_class(counts: Mapping[str, tuple[int, int, int]]) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and support of each class, of which it is counted how often it is right, a target and an
    answer; 0 where nothing was predicted or nothing is there."""
    return {
        label: {
            "precision": round(hits / max(claimed, 1), 6),
            "recall": round(hits / max(support, 1), 6),
            "f1": round(2 * hits / max(support + claimed, 1), 6),
            "support": support,
        }
        for label, (hits, support, claimed) in counts.items()
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
    """Resamples of rows, drawn once, so that every system is scored on the same ones: intervals of differences are
    paired (Berg-Kirkpatrick et al. 2012). The rows' statistics are added up once a resample, for any metric.
    """

    def __init__(self, task: Task, targets: np.ndarray, samples: int, confidence: float, seed: int) -> None:
        self.task, self.targets = task, targets
        self.tails = [50 * (1 - confidence), 50 * (1 + confidence)]
        self.drawn = np.random.default_rng(seed).integers(len(targets), size=(samples, len(targets)), dtype=np.int32)

    def values(self, metric: Metric, answers: np.ndarray) -> np.ndarray:
        """A metric of some answers [1 + samples]; the first is that of the rows themselves."""
        statistics = metric.statistics(self.targets, answers)
        sums = [statistics.sum(axis=0, keepdims=True), *(counts @ statistics for counts in self._counts())]
        return metric.value(np.concatenate(sums))

    def interval(self, metric: Metric, answers: np.ndarray) -> Interval:
        """A metric of a system with its interval."""
        return self._interval(self.values(metric, answers))

    def scores(self, answers: np.ndarray) -> dict[str, float]:
        """Every metric of a system, with the ends of their intervals."""
        found: dict[str, float] = {}
        for metric in self.task.metrics:
            interval, name = self.interval(metric, answers), metric.name
            found |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
        return {name: round(value, 6) for name, value in found.items()}

    def gain(self, before: np.ndarray, after: np.ndarray) -> Interval:
        """How much better `after` is by the first metric, on the same resamples."""
        return self._gain(self.task.metrics[0], before, after)

    def gains(self, before: np.ndarray, after: np.ndarray) -> dict[str, dict[str, float]]:
        """How much better `after` is by every metric, each with its interval, on the same resamples."""
        return {metric.name: self._gain(metric, before, after).metrics() for metric in self.task.metrics}

    def _gain(self, metric: Metric, before: np.ndarray, after: np.ndarray) -> Interval:
        return self._interval(metric.improvement(self.values(metric, before), self.values(metric, after)))

    def _counts(self) -> Iterator[np.ndarray]:
        """How often each row stands in each resample, float64 [some samples, rows]: never all, which may be much."""
        rows = len(self.targets)
        some = max(1, NUMBERS // rows)
        for start in range(0, len(self.drawn), some):
            drawn = self.drawn[start : start + some]
            places = drawn + np.arange(len(drawn), dtype=np.int64)[:, None] * rows
            yield np.bincount(places.ravel(), minlength=places.size).reshape(drawn.shape).astype(np.float64)

    def _interval(self, values: np.ndarray) -> Interval:
        low, high = np.percentile(values[1:], self.tails)
        return Interval(float(values[0]), float(low), float(high))
