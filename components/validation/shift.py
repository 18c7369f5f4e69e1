"""Whether a window of counts differs from a reference by more than chance, at a false-alarm rate one chooses.

The population stability index says how much has moved, not whether that is more than two samples of one distribution
differ by. Here its place among the indices of random divisions of both samples together is the p-value: a permutation
test (Good 2005), which holds for small counts and empty bins, where the chi-square approximation does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

ROUNDS = 9999
"""Random divisions: the smallest p-value is 1e-4."""
_SEED = 17


@dataclass(frozen=True)
class Shift:
    """One dimension of a window: statistic, its p-value, the bin that moved most with its shares then and now, and
    whether it is an alarm."""

    dimension: str
    statistic: float
    p_value: float
    bin: str
    before: float
    now: float
    alarm: bool


def shifts(
    reference: Mapping[str, Mapping[str, int]], window: Mapping[str, Mapping[str, int]], false_alarm_rate: float
) -> list[Shift]:
    """The dimensions that both have. A window without drift gives any alarm with at most `false_alarm_rate`
    (Bonferroni over the dimensions)."""
    names = [name for name in reference if name in window]
    return [_shift(name, reference[name], window[name], false_alarm_rate / len(names)) for name in names]


def _shift(name: str, reference: Mapping[str, int], window: Mapping[str, int], rate: float) -> Shift:
    bins = sorted({*reference, *window})
    before = np.array([reference.get(one, 0) for one in bins])
    now = np.array([window.get(one, 0) for one in bins])
    statistic, p_value = permutation_test(before, now)
    shares = before / before.sum(), now / now.sum()
    most = int(np.argmax(np.abs(shares[1] - shares[0])))
    moved = bins[most], float(shares[0][most]), float(shares[1][most])
    return Shift(name, statistic, p_value, *moved, p_value <= rate)


def permutation_test(before: np.ndarray, now: np.ndarray) -> tuple[float, float]:
    """The chi-square statistic of two samples' counts (bins,), and the share of random divisions of both together that
    reach it."""
    pooled = before + now
    drawn = np.random.default_rng(_SEED).multivariate_hypergeometric(
        pooled, int(now.sum()), size=ROUNDS, method="marginals"
    )
    observed, chance = _statistic(pooled, now[None]), _statistic(pooled, drawn)
    # Equal ones by another order of summation count as equal.
    reached = int((chance >= observed[0] - 1e-9).sum())
    return float(observed[0]), (1 + reached) / (1 + ROUNDS)


def _statistic(pooled: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """(rounds,): the sum of squared differences from the expected counts, over those; the other sample's follow."""
    expected = pooled * (windows.sum(axis=1, keepdims=True) / pooled.sum())
    return ((windows - expected) ** 2 / np.where(expected > 0, expected, 1)).sum(axis=1)


def length_bin(text: str) -> str:
    """In powers of two, as validation has it: 64 holds 64 to 127 characters."""
    return str(1 << (len(text).bit_length() - 1)) if text else "0"


def score_bins(scores: Sequence[float], parts: int = 10) -> list[float]:
    """The inner borders of bins that hold equally many of these scores."""
    return [float(one) for one in np.unique(np.quantile(np.asarray(scores), np.linspace(0, 1, parts + 1)[1:-1]))]


def score_bin(score: float, borders: Sequence[float]) -> str:
    """The bin of a score: the border it does not exceed, of which each is the upper one."""
    place = int(np.searchsorted(borders, score))
    return f"to {borders[place]:.4f}" if place < len(borders) else f"above {borders[-1]:.4f}"
