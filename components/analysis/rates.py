"""Shares of rows, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Rate:
    """So many of so many rows, with the ends of Wilson's score interval (1927), which holds for few rows and near 0."""

    count: int
    total: int
    low: float
    high: float

    @classmethod
    def of(cls, count: int, total: int, confidence: float) -> Rate:
        """`total`: at least 1."""
        z = NormalDist().inv_cdf((1 + confidence) / 2)
        share, extra = count / total, z * z / total
        middle = (share + extra / 2) / (1 + extra)
        reach = z * (share * (1 - share) / total + extra / total / 4) ** 0.5 / (1 + extra)
        # The ends are exact where rounding would miss them.
        return cls(count, total, middle - reach if count else 0.0, middle + reach if count < total else 1.0)

    @property
    def value(self) -> float:
        return self.count / self.total

    def metrics(self) -> dict[str, float]:
        """As numbers for a metrics file."""
        return {name: round(getattr(self, name), 6) for name in ("value", "low", "high")}

    def __str__(self) -> str:
        """`12.1 % (9.0 to 15.8)`."""
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"
