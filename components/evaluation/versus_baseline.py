"""A model against the baseline of its task, in words: what `Bootstrap.gains` found of both on the same rows."""

from __future__ import annotations

from collections.abc import Mapping

from components.evaluation.baselines.table import to_beat
from components.tasks.metrics import Metric
from components.tasks.task import Task

Gain = Mapping[str, float]
"""`value`, `low` and `high`: how much better the model is, with the interval of the paired difference."""


def sentence(gains: Mapping[str, Gain], task: Task, phrase: str | None = None) -> str:
    """Every metric, beside the task's own baseline or the one that `phrase` names: `macro-F1 below counting words by
    0.061 (-0.084 to -0.038), accuracy level with counting words …`."""
    baseline = phrase or to_beat(task).phrase
    told = [f"{metric.title} {_standing(gains[metric.name], metric, baseline)}" for metric in task.metrics]
    return f"{', '.join(told)}, on the same rows"


def shortfall(gains: Mapping[str, Gain], least: float, task: Task, phrase: str | None = None) -> str:
    """Why a model has too little over its baseline; empty where it has enough.

    It has too little where the whole interval of any metric lies below `least`: an interval that reaches it is no
    proof. Any, because each hides what the other shows: accuracy the rare labels, macro-F1 the frequent ones.
    """
    baseline = phrase or to_beat(task).phrase
    for metric in (one for one in task.metrics if not one.own_unit):
        if gains[metric.name]["high"] < least:
            return f"{_standing(gains[metric.name], metric, baseline)} in {metric.title} on the same rows"
    return ""


def signed(gain: Gain) -> str:
    """`+0.012 (-0.004 to +0.028)`."""
    return f"{gain['value']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})"


def _standing(gain: Gain, metric: Metric, baseline: str) -> str:
    low, high = gain["low"], gain["high"]
    if low <= 0 <= high:
        return f"level with {baseline}, {gain['value']:+.3f} ({low:.3f} to {high:.3f}){metric.unit}"
    if metric.larger_is_better:
        return f"{'above' if low > 0 else 'below'} {baseline} by {abs(gain['value']):.3f} ({low:.3f} to {high:.3f})"
    # Below is better here, and above worse: neither word tells which.
    near, far = sorted((abs(low), abs(high)))
    word = "better" if low > 0 else "worse"
    return f"{word} than {baseline} by {abs(gain['value']):.3f} ({near:.3f} to {far:.3f}){metric.unit}"
