"""Pictures of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

History = Mapping[str, Sequence[tuple[int, float]]]
"""Metric name -> (step, value) pairs."""


def curves_figure(histories: Mapping[str, History], names: Sequence[str]) -> Figure:
    """One panel a metric, one line a training."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(names), 3.5), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for label, history in histories.items():
            points = history.get(name, [])
            axes.plot([step for step, _ in points], [value for _, value in points], label=label)
        axes.set(xlabel="step", ylabel=name.replace("_", " "))
        axes.legend()
    return figure
