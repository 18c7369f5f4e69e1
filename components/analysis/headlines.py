"""The few numbers of a task that `dvc metrics show` puts beside those of other tasks and revisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CANDIDATE = "candidate"


def headline_metrics(evaluated: Mapping[str, Any], metric: str) -> dict[str, float]:
    """Of the candidate: the metric that decides the task, with its interval, what it has over the baseline, its
    agreement with the student, and its size in megabytes; each where `evaluate` wrote it.

    evaluated: the metrics of `evaluate`.
    """
    scores = evaluated.get(CANDIDATE, {})
    named = {
        metric: scores.get(metric),
        "low": scores.get(f"{metric}_low"),
        "high": scores.get(f"{metric}_high"),
        "over_baseline": evaluated.get("over_baseline", {}).get(CANDIDATE, {}).get(metric, {}).get("value"),
        "agreement": evaluated.get("agreement", {}).get(f"{CANDIDATE}_student"),
        "megabytes": evaluated.get("size_megabytes", {}).get(CANDIDATE),
    }
    return {name: value for name, value in named.items() if value is not None}
