"""The headline metrics of a pipeline run, under the same names for every task."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from components.tasks.kinds import METRICS
from components.tracking.tracked_run import by_path

_OF_STAGES = {
    "curate": {"pretrain/documents": "documents/train"},
    "tokenize": {"pretrain/tokens": "tokens/train"},
    "pretrain": {
        "pretrain/validation_loss": "validation_loss",
        "pretrain/parameters": "parameters",
    },
}
_OF_TASKS = {
    "evaluate": {
        f"{system}/{metric}": f"{system}/{metric}"
        for metric in METRICS
        for system in ("candidate", "student", "teacher", "without_pretraining", "baseline")
    },
}
"""Stage -> name of the headline: name of the metric in the stage's file. Those of a task are under TASK/."""
_ENDS = {"": "value", "_low": "low", "_high": "high"}
_OF_SHIPPED = {
    **{f"shipped/{metric}{end}": f"{{system}}/{metric}{end}" for metric in METRICS for end in _ENDS},
    "shipped/accuracy": "{system}/accuracy",
    **{
        f"shipped/over_baseline/{metric}{end}": f"over_baseline/{{system}}/{metric}/{name}"
        for metric in METRICS
        for end, name in _ENDS.items()
    },
    "shipped/megabytes": "size_megabytes/{system}",
}
"""The same for a release: its variant decides which of the systems scored by `evaluate` counts."""


def headlines(stages: Iterable[str], root: Path) -> dict[str, float]:
    """The headlines of these stages, from their metrics files."""
    found: dict[str, float] = {}
    for stage in stages:
        base, _, task = stage.partition("@")
        names = (_OF_TASKS if task else _OF_STAGES).get(base, {})
        metrics = read_metrics(root / "metrics" / (f"{base}/{task}.json" if task else f"{base}.json")) if names else {}
        prefix = f"{task}/" if task else ""
        found |= {f"{prefix}{name}": metrics[metric] for name, metric in names.items() if metric in metrics}
    return found


def shipped_headlines(task: str, system: str, root: Path) -> dict[str, float]:
    """The headlines of the release of a task."""
    metrics = read_metrics(root / "metrics" / "evaluate" / f"{task}.json")
    named = {name: metric.format(system=system) for name, metric in _OF_SHIPPED.items()}
    return {f"{task}/{name}": metrics[metric] for name, metric in named.items() if metric in metrics}


def read_metrics(path: Path) -> dict[str, Any]:
    """A metrics file with MLflow's names; empty where the file does not exist."""
    try:
        return by_path(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return {}
