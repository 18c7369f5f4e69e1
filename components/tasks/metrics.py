"""What answers are measured by: each metric is a function of sums over rows, so one bootstrap serves all of them.

That rows' sums suffice is sacreBLEU's idea (Post 2018): statistics of a row are counted once, a resample adds them up.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

import numpy as np

CONSTANT = 1e-12
"""Share of the squares' sum below which a variance is rounding alone."""


LARGEST = 700.0
"""Nats a token above which a float64 has no exponential."""

Number = TypeVar("Number", float, np.ndarray)


class Metric(Protocol):
    """`name`: its key in metrics files; `title`: its name in sentences; targets and answers are arrays [rows], or
    [rows, words].

    `unit`: of an improvement, in sentences; `own_unit`: it is an error in the numbers' own unit, which no limit of
    params.yaml is in, so that it is shown and decides nothing.
    """

    unit: ClassVar[str] = ""
    own_unit: ClassVar[bool] = False

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def larger_is_better(self) -> bool: ...

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Of each row, float64 [rows, k]."""

    def value(self, sums: np.ndarray) -> np.ndarray:
        """Of sums of statistics over rows, [..., k] -> [...]."""

    def improvement(self, before: Number, after: Number) -> Number:
        """How much better `after` is, whichever way the metric goes."""
        return after - before if self.larger_is_better else before - after


def score(metric: Metric, targets: np.ndarray, answers: np.ndarray) -> float:
    """The metric of all rows together."""
    return float(metric.value(metric.statistics(targets, answers).sum(axis=0)))


@dataclass(frozen=True)
class MacroF1(Metric):
    """The unweighted mean of the F1 of each of `classes` labels that occurs among targets or answers.

    A label that stands in no row and in no answer has no F1 and leaves the mean; scikit-learn leaves it out as well
    unless it is given `labels`. A label that has rows and is never answered with has an F1 of 0.
    """

    classes: int
    name = "macro_f1"
    title = "macro-F1"
    larger_is_better = True

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Of each label whether the row is a hit, and how often it is target and answer: [rows, 2 * classes]."""
        rows = np.arange(len(targets))
        found = np.zeros((len(targets), 2 * self.classes))
        found[rows, targets] = targets == answers
        found[rows, self.classes + targets] += 1
        found[rows, self.classes + answers] += 1
        return found

    def value(self, sums: np.ndarray) -> np.ndarray:
        hits, counted = sums[..., : self.classes], sums[..., self.classes :]
        present = counted > 0
        scores = np.divide(2 * hits, counted, out=np.zeros(counted.shape), where=present)
        found: np.ndarray = scores.sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)
        return found


@dataclass(frozen=True)
class MicroF1(Metric):
    """F1 of all labels together; targets and answers are 0 or 1, [rows, labels]. 0 where neither has any."""

    name = "micro_f1"
    title = "micro-F1"
    larger_is_better = True

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Of each row the labels that are right, those of the target and those of the answer: [rows, 3]."""
        counts = [(targets & answers).sum(axis=1), targets.sum(axis=1), answers.sum(axis=1)]
        return np.stack(counts, axis=1).astype(np.float64)

    def value(self, sums: np.ndarray) -> np.ndarray:
        found: np.ndarray = 2 * sums[..., 0] / np.maximum(sums[..., 1] + sums[..., 2], 1)
        return found


@dataclass(frozen=True)
class Accuracy(Metric):
    """The share of rows with the right label."""

    name = "accuracy"
    title = "accuracy"
    larger_is_better = True

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        return np.stack([targets == answers, np.ones(len(targets))], axis=1)

    def value(self, sums: np.ndarray) -> np.ndarray:
        return mean_of(sums)


@dataclass(frozen=True)
class Pearson(Metric):
    """Pearson's correlation; 0 where either side is constant, which correlates with nothing."""

    name = "pearson"
    title = "Pearson correlation"
    larger_is_better = True

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """1, x, y, x², y² and xy, centred and scaled over all rows, which changes no correlation but its rounding."""
        x, y = _standard(targets), _standard(answers)
        return np.stack([np.ones(len(x)), x, y, x * x, y * y, x * y], axis=1)

    def value(self, sums: np.ndarray) -> np.ndarray:
        count, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
        count = np.maximum(count, 1)
        spread_x, spread_y = xx - x * x / count, yy - y * y / count
        varied = (spread_x > CONSTANT * xx) & (spread_y > CONSTANT * yy)
        together = np.sqrt(np.where(varied, spread_x * spread_y, 1.0))
        return np.where(varied, np.clip((xy - x * y / count) / together, -1.0, 1.0), 0.0)


@dataclass(frozen=True)
class Spearman(Pearson):
    """Spearman's rank correlation. In a resample rows keep the ranks they have among all."""

    name = "spearman"
    title = "Spearman correlation"

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        return super().statistics(ranks(targets), ranks(answers))


@dataclass(frozen=True)
class Perplexity(Metric):
    """exp of the mean negative log-likelihood of the tokens; answers are those of `kind: generation`."""

    name = "perplexity"
    title = "perplexity"
    larger_is_better = False
    unit = " nats a token"

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Of each row its negative log-likelihood in nats, and its tokens: [rows, 2]."""
        counted = ~np.isnan(answers[..., 0])
        losses = np.where(counted, answers[..., 0], 0.0).astype(np.float64)
        return np.stack([losses.sum(axis=1), counted.sum(axis=1)], axis=1)

    def value(self, sums: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.exp(np.minimum(mean_of(sums), LARGEST))
        return found

    def improvement(self, before: Number, after: Number) -> Number:
        """The logarithm of their ratio, in nats a token: a limit is then a share, 0.05 is 5 %, whatever the
        vocabulary."""
        return np.log(before) - np.log(after)


@dataclass(frozen=True)
class MeanAbsoluteError(Metric):
    """How far answers are from their numbers, in the numbers' unit."""

    name = "mean_absolute_error"
    title = "mean absolute error"
    larger_is_better = False
    own_unit = True

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        return np.stack([np.abs(targets - answers), np.ones(len(targets))], axis=1)

    def value(self, sums: np.ndarray) -> np.ndarray:
        return mean_of(sums)


def mean_of(sums: np.ndarray) -> np.ndarray:
    """The mean, from sums and counts [..., 2]."""
    found: np.ndarray = sums[..., 0] / np.maximum(sums[..., 1], 1)
    return found


def rank_key(metric: Metric, value: float) -> float:
    """Larger for a better score."""
    return value if metric.larger_is_better else -value


def ranks(values: np.ndarray) -> np.ndarray:
    """From 1, the mean of the places that equal values share."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    found: np.ndarray = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return found


def macro_f1(actual: Iterable[Hashable], predicted: Iterable[Hashable], labels: Iterable[Hashable]) -> float:
    """Macro-F1 of answers that are labels themselves."""
    index = {label: number for number, label in enumerate(labels)}
    rows, answers = (np.array([index[label] for label in given], dtype=np.int64) for given in (actual, predicted))
    return score(MacroF1(len(index)), rows, answers)


def _standard(values: np.ndarray) -> np.ndarray:
    """With mean 0 and largest size 1; all 0 where the values differ by rounding alone."""
    centred = np.asarray(values, dtype=np.float64) - np.mean(values, dtype=np.float64)
    size = float(np.abs(centred).max(initial=0.0))
    alike = size <= CONSTANT * float(np.abs(values).max(initial=0.0))
    return np.zeros(len(centred)) if alike else centred / size
