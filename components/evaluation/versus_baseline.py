"""A model against counting words, in words: what `Bootstrap.gains` found of both on the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.tasks.metrics import Metric, Perplexity

Gain = Mapping[str, float]
"""`value`, `low` and `high`: a paired difference with its interval."""

BASELINE = "counting words"


def sentence(gains: Mapping[str, Gain], metrics: Sequence[Metric]) -> str:
    """Every metric: `macro-F1 below counting words by 0.061 (-0.084 to -0.038), accuracy level with it …`."""
    told = [f"{metric.title} {_standing(gains[metric.name], metric)}" for metric in metrics]
    return f"{', '.join(told)}, on the same rows"


def shortfall(gains: Mapping[str, Gain], least: float, metrics: Sequence[Metric]) -> str:
    """Why a model has too little over counting words; empty where it has enough.

    It has too little where the whole interval of any metric lies below `least`: an interval that reaches it is no
    proof. Any, because each hides what the other shows: accuracy the rare labels, macro-F1 the frequent ones.
    """
    # An error is in its own unit, which `least` is not; perplexities are compared by their ratio.
    for metric in (one for one in metrics if one.larger_is_better or isinstance(one, Perplexity)):
        if gains[metric.name]["high"] < least:
            return f"{_standing(gains[metric.name], metric)} in {metric.title} on the same rows"
    return ""


def signed(gain: Gain) -> str:
    """`+0.012 (-0.004 to +0.028)`."""
    return f"{gain['value']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})"


def _standing(gain: Gain, metric: Metric) -> str:
    interval = f"({gain['low']:.3f} to {gain['high']:.3f})"
    if gain["low"] > 0 or gain["high"] < 0:
        above = (gain["low"] > 0) == metric.larger_is_better
        return f"{'above' if above else 'below'} {BASELINE} by {abs(gain['value']):.3f} {interval}"
    return f"level with {BASELINE}, {gain['value']:+.3f} {interval}"
