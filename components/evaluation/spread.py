"""Several seeds of one training: mean and standard deviation of what each scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from components.tasks.metrics import Metric

SEEDS = "seeds"
"""The folder beside a chosen classifier that holds those of the other seeds."""


def spreads(scores: Mapping[int, Mapping[str, float]], chosen: int, metrics: Sequence[Metric]) -> dict[str, Any]:
    """Of the scores by seed, as numbers for a metrics file: each one's, their mean and their standard deviation (of the
    sample). `chosen`: the seed that goes on.
    """
    found: dict[str, Any] = {"count": len(scores), "chosen": chosen}
    for metric in metrics:
        values = {str(seed): float(score[metric.name]) for seed, score in scores.items()}
        spread = {"mean": mean(values.values()), "sd": stdev(values.values())}
        found[metric.name] = {name: round(value, 6) for name, value in (spread | values).items()}
    return found


def told(spread: Mapping[str, float]) -> str:
    """`0.861 ± 0.004`."""
    return f"{spread['mean']:.4f} ± {spread['sd']:.4f}"
