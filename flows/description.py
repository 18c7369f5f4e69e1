"""The description of a pipeline run in MLflow: its result as a page in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from components.tasks.kinds import deciding
from flows.task_models import systems

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


_LONGEST = 8000
"""Characters: MLflow cuts what is longer."""
_MOST_LINKS = 4000
"""Characters of links to stages, so that models have as many."""


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


@dataclass(frozen=True)
class _Section:
    """What is told of a task: lines, and between them a row for each model, with whether it ships."""

    above: list[str]
    rows: list[tuple[str, bool]]
    below: list[str]

    def drop_row(self) -> None:
        """Leave out the last row that is not of the model that ships."""
        del self.rows[max(number for number, (_, ships) in enumerate(self.rows) if not ships)]


def describe(tied: Sequence[Tied], runs: Mapping[str, str], experiment: str) -> str:
    """The result as Markdown: a link to the run of every stage, wherever it ran, a table of models a task, and the
    version that came of it. What MLflow has no room for is left out, and counted.
    """
    base = f"#/experiments/{experiment}"
    made_by = _made_by([f"[{name}]({base}/runs/{run_id})" for name, run_id in runs.items()])
    sections = [_section(one, base) for one in tied]
    models = tasks = 0
    while len(page := _page(made_by, sections, models, tasks)) > _LONGEST:
        longest = max(sections, key=lambda one: len(one.rows))
        if len(longest.rows) > 1:
            longest.drop_row()
            models += 1
        else:
            sections.pop()
            tasks += 1
    return page


def version_link(one: Tied) -> str:
    """The link to the version that came of a task; empty where none did."""
    if one.version is None:
        return ""
    number = one.version.version
    return f"[{one.task} version {number}](#/models/{one.task}/versions/{number})"


def _page(made_by: str, sections: Sequence[_Section], models: int, tasks: int) -> str:
    counts = ((models, "models"), (tasks, "tasks"))
    told = ", ".join(f"{count} {what}" for count, what in counts if count)
    left_out = [f"Left out here, for want of room: {told}.", ""] if told else []
    lines = [line for one in sections for line in (*one.above, *(row for row, _ in one.rows), *one.below)]
    return "\n".join([made_by, "", *left_out, *lines])


def _made_by(links: list[str]) -> str:
    shown = len(links)
    while sum(len(link) + 2 for link in links[:shown]) > _MOST_LINKS:
        shown -= 1
    more = f", and {len(links) - shown} more" if shown < len(links) else ""
    return f"Made by: {', '.join(links[:shown])}{more}"


def _section(one: Tied, base: str) -> _Section:
    names = systems(one.metrics)
    scored = [name for system in names for name in one.metrics[system]]
    # A kind from outside the tree has a metric that is on no list: its first.
    metric = deciding(scored) or next(iter(scored), "")
    above = [f"### {one.task}", "", f"| model | {metric} | interval | MB | ms a row |", "|---|---|---|---|---|"]
    every = ["baseline", *names] if "baseline" in one.metrics else names
    rows = [(_row(one, system, metric, base), system == one.shipped) for system in every]
    links = [version_link(one), f"[evaluation]({base}/runs/{one.run}/artifacts/evaluate/index.html)"]
    return _Section(above, rows, ["", " · ".join(link for link in links if link), ""])


def _row(one: Tied, system: str, metric: str, base: str) -> str:
    scores, size = one.metrics[system], one.metrics.get("size_megabytes", {}).get(system)
    shown = f"[{system}]({base}/models/{one.models[system]})" if system in one.models else system
    shown = f"**{shown}**, shipped" if system == one.shipped else shown
    value = f"{scores[metric]:.4f}" if metric in scores else ""
    low, high = (scores.get(f"{metric}_{end}") for end in ("low", "high"))
    interval = f"{low:.4f} to {high:.4f}" if low is not None and high is not None else ""
    latency = one.timings.get(system, {}).get("batch_1", {}).get("p50")
    return f"| {shown} | {value} | {interval} | {_number(size)} | {_number(latency)} |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
