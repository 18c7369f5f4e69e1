"""Gates on how a model behaves, from what `analyze` finds: each is there where params.yaml sets its limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.deployment.config import ReleaseConfig
from components.modeling.kinds import CARRIES_ON, GENERATES

if TYPE_CHECKING:
    from components.tasks.task import Task


@dataclass(frozen=True)
class Behaviour:
    """What an analysis found: its metrics, and its sentences, the worst first."""

    metrics: Mapping[str, Any]
    sentences: Sequence[str] = ()


@dataclass(frozen=True)
class Limit:
    """A limit of `release`. analysis: the one whose metrics are looked at; figure: of these what the limit is for, and
    what it is called, None where nothing was measured; fits: the kinds that the analysis has something to ask of."""

    parameter: str
    analysis: str
    figure: Callable[[Mapping[str, Any]], tuple[float, str] | None]
    fits: Callable[[Task], bool] = lambda task: True

    def judge(self, found: Behaviour | None, allowed: float) -> tuple[bool, str]:
        """Whether the figure keeps to the limit, and a sentence with both and the worst that the analysis tells. What
        was not measured keeps to no limit."""
        figure = None if found is None else self.figure(found.metrics)
        if found is None or figure is None:
            return False, (
                f"{self.analysis} found too little to measure in these rows, release.{self.parameter} allows "
                f"{allowed:g}: `--set release.{self.parameter}=null` does without"
            )
        value, called = figure
        told = f"{value:.4g} {called}, release.{self.parameter} allows {allowed:g}"
        worst = f": {found.sentences[0]}" if found.sentences and value > allowed else ""
        return value <= allowed, told + worst


def asked(limits: ReleaseConfig) -> list[str]:
    """The gates whose limits are set."""
    return [name for name, limit in LIMITS.items() if getattr(limits, limit.parameter) is not None]


def analysis_metrics(name: str) -> Path:
    """Where `analyze` writes its metrics, from the project's root."""
    return Path("metrics", "analyze", f"{name}.json")


def _slice_gap(metrics: Mapping[str, Any]) -> tuple[float, str]:
    if metrics["worst_gap"] >= 0:
        return 0.0, "below the rest, since no slice is shown to be worse"
    return -metrics["worst_gap"], f"below the rest in the slice '{metrics['worst']}'"


def _calibration_error(metrics: Mapping[str, Any]) -> tuple[float, str]:
    return metrics["ece"], "expected calibration error"


def _flip_rate(metrics: Mapping[str, Any]) -> tuple[float, str] | None:
    rates = {name: one["flip_rate"]["value"] for name, one in metrics["perturbations"].items()}
    if not rates:
        return None  # there are tests of the user's own alone
    worst = max(rates, key=lambda name: rates[name])
    return rates[worst], f"of the answers change by {worst.replace('_', ' ')}"


def _fairness_gap(metrics: Mapping[str, Any]) -> tuple[float, str]:
    return metrics["worst_gap"], f"between groups: {metrics['worst']}"


def _leaked_rows(metrics: Mapping[str, Any]) -> tuple[float, str]:
    return metrics["leaked_rows"], "test rows were seen in training"


def _memorised_rows(metrics: Mapping[str, Any]) -> tuple[float, str]:
    found = metrics["training_rows"]
    return round(found["rows"] * found["extractable"]["value"]), "training rows are written word for word"


def _picks_a_label(task: Task) -> bool:
    # Imported here: which limits are set is asked without the libraries of a model.
    from components.deployment.temperature import picks_a_label

    return picks_a_label(task)


LIMITS = {
    "worst slice": Limit("max_slice_gap", "slices", _slice_gap),
    "calibration": Limit("max_calibration_error", "calibration", _calibration_error, _picks_a_label),
    "robustness": Limit(
        "max_flip_rate", "robustness", _flip_rate, lambda task: task.head != CARRIES_ON and not task.spans
    ),
    "fairness": Limit(
        "max_fairness_gap", "fairness", _fairness_gap, lambda task: task.head == "sequence" and not task.spans
    ),
    "leaked rows": Limit("max_leaked_rows", "leakage", _leaked_rows),
    "memorised rows": Limit("max_memorised_rows", "memorisation", _memorised_rows, lambda task: task.head in GENERATES),
}
"""Gate -> its limit, in the order in which their sentences are told."""
