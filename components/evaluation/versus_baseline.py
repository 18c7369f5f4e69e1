"""A model against counting words, in words: what `Bootstrap.gains` found of both on the same rows."""

from __future__ import annotations

from collections.abc import Mapping

Gain = Mapping[str, float]
"""`value`, `low` and `high`: a paired difference with its interval."""

MEASURES = {"macro_f1": "macro-F1", "accuracy": "accuracy"}
BASELINE = "counting words"


def sentence(gains: Mapping[str, Gain]) -> str:
    """Both measures: `macro-F1 below counting words by 0.061 (-0.084 to -0.038), accuracy level with it …`."""
    told = [f"{name} {_standing(gains[key])}" for key, name in MEASURES.items()]
    return f"{', '.join(told)}, on the same rows"


def shortfall(gains: Mapping[str, Gain], least: float) -> str:
    """Why a model has too little over counting words; empty where it has enough.

    It has too little where the whole interval of either measure lies below `least`: an interval that reaches it is no
    proof. Either, because each hides what the other shows: accuracy the rare labels, macro-F1 the frequent ones.
    """
    for key, name in MEASURES.items():
        if gains[key]["high"] < least:
            return f"{_standing(gains[key])} in {name} on the same rows"
    return ""


def signed(gain: Gain) -> str:
    """`+0.012 (-0.004 to +0.028)`."""
    return f"{gain['value']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})"


def _standing(gain: Gain) -> str:
    interval = f"({gain['low']:.3f} to {gain['high']:.3f})"
    if gain["low"] > 0 or gain["high"] < 0:
        return f"{'above' if gain['low'] > 0 else 'below'} {BASELINE} by {abs(gain['value']):.3f} {interval}"
    return f"level with {BASELINE}, {gain['value']:+.3f} {interval}"
