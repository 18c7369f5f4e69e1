"""Gates on how a model behaves, from what `analyze` finds: each is there where params.yaml sets its limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.deployment.config import ReleaseConfig


@dataclass(frozen=True)
class Behaviour:
    """What an analysis found: its metrics, and its sentences, the worst first."""

    metrics: Mapping[str, Any]
    sentences: Sequence[str] = ()


@dataclass(frozen=True)
class Limit:
    """A limit of `release`. analysis: the one whose metrics are looked at; figure: of these what the limit is for, and
    what it is called."""

    parameter: str
    analysis: str
    figure: Callable[[Mapping[str, Any]], tuple[float, str]]

    def judge(self, found: Behaviour, allowed: float) -> tuple[bool, str]:
        """Whether the figure keeps to the limit, and a sentence with both and the worst that the analysis tells."""
        value, called = self.figure(found.metrics)
        told = f"{value:.4g} {called}, release.{self.parameter} allows {allowed:g}"
        worst = f": {found.sentences[0]}" if found.sentences and value > allowed else ""
        return value <= allowed, told + worst


def asked(limits: ReleaseConfig) -> list[str]:
    """The gates whose limits are set."""
    return [name for name, limit in LIMITS.items() if getattr(limits, limit.parameter) is not None]


def _slice_gap(metrics: Mapping[str, Any]) -> tuple[float, str]:
    return max(-metrics["worst_gap"], 0.0), f"below the rest in the slice '{metrics['worst']}'"


def _calibration_error(metrics: Mapping[str, Any]) -> tuple[float, str]:
    return metrics["ece"], "expected calibration error"


def _flip_rate(metrics: Mapping[str, Any]) -> tuple[float, str]:
    rates = {name: one["flip_rate"]["value"] for name, one in metrics["perturbations"].items()}
    worst = max(rates, key=lambda name: rates[name], default="")
    return rates.get(worst, 0.0), f"of the answers change by {worst.replace('_', ' ') or 'any perturbation'}"


def _fairness_gap(metrics: Mapping[str, Any]) -> tuple[float, str]:
    return metrics["worst_gap"], f"between groups: {metrics['worst']}"


def _leaked_rows(metrics: Mapping[str, Any]) -> tuple[float, str]:
    return metrics["leaked_rows"], "test rows were seen in training"


def _memorised_rows(metrics: Mapping[str, Any]) -> tuple[float, str]:
    found = metrics["training_rows"]
    return round(found["rows"] * found["extractable"]["value"]), "training rows are carried on word for word"


LIMITS = {
    "worst slice": Limit("max_slice_gap", "slices", _slice_gap),
    "calibration": Limit("max_calibration_error", "calibration", _calibration_error),
    "robustness": Limit("max_flip_rate", "robustness", _flip_rate),
    "fairness": Limit("max_fairness_gap", "fairness", _fairness_gap),
    "leaked rows": Limit("max_leaked_rows", "leakage", _leaked_rows),
    "memorised rows": Limit("max_memorised_rows", "memorisation", _memorised_rows),
}
"""Gate -> its limit, in the order in which their sentences are told."""
