"""How systems differ on the same rows: tests of their differences, what the tests could have seen, and a sentence.

A system is a rung, a version, a run, or a configuration with the answers of several seeds.

bootstrap   any metric: the difference over its standard error among paired resamples of the rows (Efron and Tibshirani
            1993, chapter 12); of several seeds their own spread is added (Welch 1947)
McNemar     where each row is right or wrong: is one system right more often where they differ (McNemar 1947; exact)

Intervals are the difference and so many standard errors of the bootstrap, so that interval and test agree. Of more
than two systems, p-values are Holm's (1979): the chance of any false alarm among them all stays below the level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import variance

import numpy as np

from components.evaluation.metrics import Bootstrap
from components.tasks.metrics import Metric

POWER = 0.8
"""The chance that a difference as large as the smallest detectable one is shown (Card et al. 2020)."""

Seeds = Sequence[np.ndarray]
"""A system's answers to the rows, of each of its seeds."""


@dataclass(frozen=True)
class Difference:
    """How much better `second` is than `first` by a metric.

    low, high: of the single comparison, at 1 - `level`; p: two-sided; adjusted: by Holm's correction for
    `comparisons`; detectable: the smallest difference that the test would have shown in 80 of 100 cases; same: whether
    no answer differs.
    """

    first: str
    second: str
    metric: Metric
    rows: int
    level: float
    value: float
    low: float
    high: float
    detectable: float
    test: str
    p: float
    adjusted: float
    comparisons: int = 1
    same: bool = False

    @property
    def shown(self) -> bool:
        """Whether the systems differ by more than the rows' chance."""
        return self.adjusted < self.level

    def metrics(self) -> dict[str, float | int]:
        """As numbers for a metrics file."""
        names = ("value", "low", "high", "detectable", "p", "adjusted")
        return {name: round(float(getattr(self, name)), 6) for name in names} | {"shown": int(self.shown)}


def differences(
    bootstrap: Bootstrap,
    metric: Metric,
    systems: Mapping[str, Seeds],
    confidence: float,
    pairs: Sequence[tuple[str, str]] | None = None,
) -> tuple[Difference, ...]:
    """Of every two systems, or of the pairs that are named (first, second). Raises ValueError without a pair."""
    pairs = list(combinations(systems, 2)) if pairs is None else list(pairs)
    if not pairs:
        raise ValueError("a difference needs two systems")
    values = {
        name: np.stack([bootstrap.values(metric, answers) for answers in systems[name]])
        for name in dict.fromkeys(name for pair in pairs for name in pair)
    }
    level = 1 - confidence
    found = [
        _difference(bootstrap, metric, (one, other), (systems[one], systems[other]), values, level, len(pairs))
        for one, other in pairs
    ]
    adjusted = holm([one.p for one in found])
    return tuple(replace(one, adjusted=float(p)) for one, p in zip(found, adjusted, strict=True))


def _difference(
    bootstrap: Bootstrap,
    metric: Metric,
    names: tuple[str, str],
    answers: tuple[Seeds, Seeds],
    values: Mapping[str, np.ndarray],
    level: float,
    comparisons: int,
) -> Difference:
    before, after = (values[name] for name in names)
    gains = metric.improvement(before.mean(axis=0), after.mean(axis=0))
    value = float(gains[0])
    error, freedom = _error(metric, before[:, 0], after[:, 0], gains[1:])
    reach = _quantile(1 - level / 2, freedom) * error
    if _single(answers) and (hits := _hits(bootstrap, metric, answers)) is not None:
        test, p = "McNemar", mcnemar(*hits)
    else:
        test, p = "bootstrap", two_sided(value, error, freedom)
    return Difference(
        *names,
        metric,
        len(bootstrap.targets),
        level,
        value,
        value - reach,
        value + reach,
        # By Bonferroni's level, which Holm's smallest p-value has to pass.
        detectable=(_quantile(1 - level / comparisons / 2, freedom) + _quantile(POWER)) * error,
        test=test,
        p=p,
        adjusted=p,
        comparisons=comparisons,
        same=_single(answers) and bool(bootstrap.task.same(answers[0][0], answers[1][0]).all()) and value == 0,
    )


def _single(answers: tuple[Seeds, Seeds]) -> bool:
    return all(len(seeds) == 1 for seeds in answers)


def _error(metric: Metric, before: np.ndarray, after: np.ndarray, gains: np.ndarray) -> tuple[float, float]:
    """The standard error of a difference of means over seeds, and its degrees of freedom (Satterthwaite 1946): of the
    rows, known from so many resamples `gains`, and of the seeds' scores before and after [seeds]."""
    # In the unit of the improvement, which is a logarithm for perplexity.
    seeds = [metric.improvement(before.mean(), scores) for scores in (before, after) if len(scores) > 1]
    parts = [(variance(scores.tolist()) / len(scores), len(scores) - 1) for scores in seeds]
    parts.append((float(np.var(gains, ddof=1)), len(gains) - 1))
    total = sum(part for part, _ in parts)
    freedom = total**2 / sum(part**2 / free for part, free in parts) if total else np.inf
    return float(np.sqrt(total)), freedom


def _hits(bootstrap: Bootstrap, metric: Metric, answers: tuple[Seeds, Seeds]) -> tuple[np.ndarray, np.ndarray] | None:
    first, second = (right(metric, bootstrap.targets, seeds[0]) for seeds in answers)
    return None if first is None or second is None else (first, second)


def right(metric: Metric, targets: np.ndarray, answers: np.ndarray) -> np.ndarray | None:
    """Which rows are right, bool [rows], where the metric is the share of them; None where it is anything else."""
    return right_rows(metric, metric.statistics(targets, answers))


def right_rows(metric: Metric, statistics: np.ndarray) -> np.ndarray | None:
    """The same of the rows' statistics."""
    if metric.own_unit or statistics.shape[1:] != (2,) or (statistics[:, 1] != 1).any():
        return None
    hits = statistics[:, 0]
    return hits == 1 if np.isin(hits, (0, 1)).all() else None


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Two-sided p-value of McNemar's exact test, of which rows either system has right, bool [rows] each.

    The binomial distribution itself, however many rows they differ in: an approximation would save nothing.
    """
    from scipy.stats import binomtest  # here, since `lianzi --help` and the stages that only resample do without

    gained, lost = int((second & ~first).sum()), int((first & ~second).sum())
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def holm(p_values: Sequence[float]) -> np.ndarray:
    """p-values, each adjusted for all of them being tested at once (Holm 1979), in their order."""
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    steps = np.arange(len(given), 0, -1) * given[order]
    adjusted = np.empty(len(given))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def two_sided(value: float, error: float, freedom: float = np.inf) -> float:
    """The p-value of a difference with this standard error."""
    from scipy.stats import t

    if not error:  # no resample differs from another
        return float(value == 0)
    return float(2 * t.sf(abs(value) / error, freedom))


def _quantile(share: float, freedom: float = np.inf) -> float:
    from scipy.stats import t

    return float(t.ppf(share, freedom))


def sentence(one: Difference) -> str:
    """`no difference shown in macro-F1: +0.004 (-0.010 to +0.018), the test could have seen 0.020`."""
    told = f"{one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f}){one.metric.unit}"
    if one.same:
        return f"no difference: the same answers to all {one.rows:,} rows"
    p = f"p = {one.p:.2g} by {one.test}" if one.test == "McNemar" else f"p = {one.p:.2g}"
    if one.comparisons > 1:
        p += f", {one.adjusted:.2g} as one of {one.comparisons} comparisons"
    if one.shown:
        return f"{'better' if one.value > 0 else 'worse'} in {one.metric.title}: {told}, {p}"
    # Where no resample moves the metric nothing is known of what could be seen.
    seen = f", the test could have seen {one.detectable:.3f}" if one.detectable else ""
    # Where the interval alone would say otherwise, the reader is owed the reason.
    reason = "" if one.low <= 0 <= one.high else f", {p}"
    return f"no difference shown in {one.metric.title}: {told}{seen}{reason}"
