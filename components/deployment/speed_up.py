"""How many times as fast one contender is as another, with the interval that the noise of the measurement leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SAMPLES = 2000
BLOCK = 5
"""Rounds that are drawn together: what else a machine does lasts longer than one."""


@dataclass(frozen=True)
class SpeedUp:
    """The median over rounds of the ratios of two contenders' times, and the ends of its bootstrap interval."""

    value: float
    low: float
    high: float

    def surely_above(self, asked: float) -> bool:
        """Whether the whole interval lies above."""
        return self.low > asked

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"

    def metrics(self) -> dict[str, float]:
        found = {"speed_up": self.value, "speed_up_low": self.low, "speed_up_high": self.high}
        return {name: round(value, 4) for name, value in found.items()}


def speed_up(above: Sequence[np.ndarray], below: Sequence[np.ndarray], confidence: float) -> SpeedUp:
    """Of `below` over `above`: seconds of each round, an array a case; both did the same work in the same round.

    Paired by rounds, cases alike; a circular block bootstrap (Politis and Romano 1992) within each case. Equal times
    give equal intervals.
    """
    ratios = [one / other for one, other in zip(above, below, strict=True)]
    generator = np.random.default_rng(0)
    drawn = np.concatenate([case[_rounds(generator, len(case))] for case in ratios], axis=1)
    low, high = np.percentile(np.median(drawn, axis=1), [50 * (1 - confidence), 50 * (1 + confidence)])
    return SpeedUp(float(np.median(np.concatenate(ratios))), float(low), float(high))


def _rounds(generator: np.random.Generator, count: int) -> np.ndarray:
    """Rounds of each sample, (SAMPLES, count): blocks that begin anywhere and go on at the first after the last."""
    starts = generator.integers(count, size=(SAMPLES, -(-count // BLOCK)))
    places = (starts[:, :, None] + np.arange(BLOCK)) % count
    return places.reshape(SAMPLES, -1)[:, :count]
