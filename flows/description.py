"""The description of a pipeline run in MLflow: its result as a page in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from components.tasks.kinds import deciding
from flows.task_models import systems

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True)
class Tied:
    """A task's models in MLflow: the run of `evaluate`, system -> id, the version with its rung."""

    task: str
    run: str
    metrics: Mapping[str, Any]
    timings: Mapping[str, Any]
    models: Mapping[str, str] = field(default_factory=dict)
    version: ModelVersion | None = None
    shipped: str = ""


def describe(tied: Sequence[Tied], runs: Mapping[str, str], experiment: str) -> str:
    """The result as Markdown: a table of models a task, the version that came of it, and a link to the run of every
    stage, wherever it ran."""
    base = f"#/experiments/{experiment}"
    parts = [line for one in tied for line in _task_lines(one, base)]
    stages = ", ".join(f"[{name}]({base}/runs/{run_id})" for name, run_id in runs.items())
    return "\n".join([*parts, f"Made by: {stages}", ""])


def _task_lines(one: Tied, base: str) -> list[str]:
    names = systems(one.metrics)
    scored = [name for system in names for name in one.metrics[system]]
    # A kind from outside the tree has a metric that is on no list: its first.
    metric = deciding(scored) or next(iter(scored), "")
    lines = [f"### {one.task}", "", f"| model | {metric} | interval | MB | ms a row |", "|---|---|---|---|---|"]
    every = ["baseline", *names] if "baseline" in one.metrics else names
    for system in every:
        scores, size = one.metrics[system], one.metrics.get("size_megabytes", {}).get(system)
        shown = f"[{system}]({base}/models/{one.models[system]})" if system in one.models else system
        shown = f"**{shown}**, shipped" if system == one.shipped else shown
        value = f"{scores[metric]:.4f}" if metric in scores else ""
        low, high = (scores.get(f"{metric}_{end}") for end in ("low", "high"))
        interval = f"{low:.4f} to {high:.4f}" if low is not None and high is not None else ""
        latency = one.timings.get(system, {}).get("batch_1", {}).get("p50")
        lines.append(f"| {shown} | {value} | {interval} | {_number(size)} | {_number(latency)} |")
    links = [f"[evaluation]({base}/runs/{one.run}/artifacts/evaluate/index.html)"]
    if one.version is not None:
        number = one.version.version
        links.insert(0, f"[{one.task} version {number}](#/models/{one.task}/versions/{number})")
    return [*lines, "", " · ".join(links), ""]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
