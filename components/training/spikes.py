"""Loss spikes: steps whose loss is far above the running mean, reported with their samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

DEVIATIONS = 6.0
"""Standard deviations above the running mean that make a spike."""
LEAST_DEVIATION = 0.005
"""Smallest standard deviation assumed, as a share of the mean: smooth curves have no tiny spikes."""
MEMORY = 0.98
"""Of the running mean and variance: about fifty steps."""
SETTLING = 50
"""Warm-up steps without a verdict: early losses fall too fast."""
NAMED_SAMPLES = 8


class LossSpikeDetector:
    """Detects spikes by a running mean and variance of the losses."""

    def __init__(self, mean: float = 0.0, variance: float = 0.0, seen: int = 0) -> None:
        self.mean, self.variance, self.seen = mean, variance, seen

    def spikes(self, losses: Sequence[float], first_step: int) -> list[tuple[int, float, float]]:
        """(step, loss, running mean) of each spike among the losses of the steps from `first_step` on."""
        found = []
        for step, loss in enumerate(losses, first_step):
            away = loss - self.mean
            limit = DEVIATIONS * max(math.sqrt(self.variance), LEAST_DEVIATION * abs(self.mean))
            if self.seen >= SETTLING and away > limit:
                found.append((step, loss, self.mean))
                # A spike counts no more than the limit: it spoils nothing, and a lasting rise becomes the usual.
                away = limit
            share = max(1.0 - MEMORY, 1.0 / (self.seen + 1))
            self.mean += share * away
            self.variance = (1.0 - share) * (self.variance + share * away * away)
            self.seen += 1
        return found

    @property
    def state(self) -> list[float]:
        return [self.mean, self.variance, float(self.seen)]


def spike_line(label: str, step: int, loss: float, usual: float, samples: Sequence[int]) -> str:
    """One line about a spike, for the log."""
    named = ", ".join(str(sample) for sample in samples[:NAMED_SAMPLES])
    more = f" and {len(samples) - NAMED_SAMPLES} more" if len(samples) > NAMED_SAMPLES else ""
    return f"{label}: loss spike at step {step}: {loss:.3f}, usually {usual:.3f}; samples {named}{more}"
