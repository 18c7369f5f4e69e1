"""The headline metrics of a pipeline run, under the same names for every task."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from components.tasks.kinds import deciding
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
        f"{system}/{{metric}}": f"{system}/{{metric}}"
        for system in ("candidate", "student", "teacher", "without_pretraining", "baseline")
    },
}
"""Stage -> name of the headline: name of the metric in the stage's file. Those of a task are under TASK/; `metric` is
the one that decides the task."""
_ENDS = {"": "value", "_low": "low", "_high": "high"}
_OF_SHIPPED = {
    **{f"shipped/{{metric}}{end}": f"{{system}}/{{metric}}{end}" for end in _ENDS},
    "shipped/accuracy": "{system}/accuracy",
    **{
        f"shipped/over_baseline/{{metric}}{end}": f"over_baseline/{{system}}/{{metric}}/{name}"
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
        found |= _named(names, metrics, f"{task}/" if task else "")
    return found


def shipped_headlines(task: str, system: str, root: Path) -> dict[str, float]:
    """The headlines of the release of a task."""
    metrics = read_metrics(root / "metrics" / "evaluate" / f"{task}.json")
    return _named(_OF_SHIPPED, metrics, f"{task}/", system)


def _named(names: Mapping[str, str], metrics: Mapping[str, Any], prefix: str, system: str = "") -> dict[str, float]:
    """Those of the metrics that are there, under the headlines' names."""
    # Scores of single labels have names that decide other kinds.
    there = {part for name in metrics if "/per_class/" not in name for part in name.split("/")}
    words = {"metric": deciding(there), "system": system}
    chosen = {name.format(**words): metric.format(**words) for name, metric in names.items()}
    return {f"{prefix}{name}": metrics[metric] for name, metric in chosen.items() if metric in metrics}


def read_metrics(path: Path) -> dict[str, Any]:
    """A metrics file with MLflow's names; empty where the file does not exist."""
    try:
        return by_path(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return {}
