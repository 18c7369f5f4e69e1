"""The comparison of results as one page: sentences a task, quality against latency and size, what differs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from components.evaluation.figures import ACCENT, GRID, INK, QUIET
from components.evaluation.page import picture, section, table, write_html
from flows.comparison.inputs import Differences
from flows.comparison.models import Comparison, Rung

COLORS = (QUIET, ACCENT, "#d1495b", "#2e8b57", "#8c6bb1", "#b8860b", "#3b7a9e", "#7a5c3b")
"""Of the results in their order."""
DIFFERENCE_COLUMNS = ["", "beside", "metric", "difference", "interval", "could have seen", "test", "p", "p by Holm"]
MOST = len(COLORS)
"""Results that a picture can tell apart."""


def write_comparison(
    path: Path,
    names: Sequence[str],
    made_from: Differences,
    comparisons: Sequence[Comparison],
    left_out: Sequence[str],
) -> None:
    """Write the page; `left_out`: sentences on models that could not be compared."""
    first, *others = names
    title = f"{', '.join(others)} beside {first}"
    parts = [f"<h1>{escape(title)}</h1>"]
    for one in comparisons:
        parts += [
            f"<h2>{escape(one.task)}</h2>",
            *(f"<p>{escape(told)} ({one.rows:,} test rows).</p>" for told in one.told),
            section("Differences", table(DIFFERENCE_COLUMNS, _differences(one))),
            picture(pareto_figure(one), f"{one.metric.title} against latency and size of every rung"),
            table(["of", "rung", one.metric.title, "ms a row", "MB"], _rungs(one)),
        ]
    parts += [f"<p>{escape(told)}</p>" for told in left_out]
    for heading, found in (("Parameters", made_from.parameters), ("Libraries", made_from.libraries)):
        rows = [(name, *map(_value, values)) for name, values in found.items()]
        parts.append(_section(heading, ["", *names], rows))
    for heading, told in (("Code", made_from.code), ("Data", made_from.data)):
        columns = ["file", "difference"] if len(others) == 1 else ["file", *others]
        parts.append(_section(heading, columns, [(name, *phrases) for name, phrases in told.items()]))
    parts.append(
        '<p class="note">Scores are of the same test rows, those of the last result; differences are paired over them, '
        "each from the first model, with percentile bootstrap intervals. Rungs answered in turn on this machine, one "
        "thread each, tokenizer included.</p>"
    )
    write_html(path, title, parts)


def _section(heading: str, columns: list[str], rows: Sequence[tuple[str, ...]]) -> str:
    return section(heading, table(columns, rows)) if rows else f"<p>{heading}: no difference.</p>"


def pareto_figure(one: Comparison) -> Figure:
    """Quality against milliseconds and against megabytes, every rung of all; filled: the one that answers. A line
    goes through the rungs that no other beats in both."""
    figure = Figure(figsize=(9.2, 3.8), layout="constrained")
    for axes, measure, label in zip(
        figure.subplots(1, 2), ("milliseconds", "megabytes"), ("ms a row", "MB"), strict=True
    ):
        for rungs, color, name in zip(one.rungs, COLORS, one.names, strict=False):
            for rung in rungs:
                fill = color if rung.default else "white"
                axes.plot(getattr(rung, measure), rung.score, "o", color=color, markerfacecolor=fill, markersize=8)
            axes.plot([], [], "o", color=color, label=name)
        best = front([rung for rungs in one.rungs for rung in rungs], measure, one.metric.larger_is_better)
        axes.plot(
            [getattr(rung, measure) for rung in best], [rung.score for rung in best], color=INK, linewidth=1, zorder=0
        )
        axes.set_xlabel(label)
        axes.set_ylabel(one.metric.title)
        axes.grid(color=GRID)
    figure.axes[0].legend(frameon=False)
    return figure


def front(rungs: Sequence[Rung], measure: str, larger_is_better: bool) -> list[Rung]:
    """The rungs that none equals or beats in both the measure, of which less is better, and the score (Pareto)."""
    sign = 1 if larger_is_better else -1
    found: list[Rung] = []
    for rung in sorted(rungs, key=lambda one: (getattr(one, measure), -sign * one.score)):
        if not found or sign * rung.score > sign * found[-1].score:
            found.append(rung)
    return found


def _differences(one: Comparison) -> list[tuple[str, ...]]:
    return [
        (
            found.second,
            found.first,
            found.metric.title,
            f"{found.value:+.3f}{found.metric.unit}",
            f"{found.low:+.3f} to {found.high:+.3f}",
            f"{found.detectable:.3f}",
            found.test,
            f"{found.p:.2g}",
            f"{found.adjusted:.2g}",
        )
        for found in one.differences
    ]


def _rungs(one: Comparison) -> list[tuple[str, ...]]:
    return [
        (
            name,
            f"{rung.name} (answers)" if rung.default else rung.name,
            f"{rung.score:.4f}",
            f"{rung.milliseconds:.3f}",
            f"{rung.megabytes:.3f}",
        )
        for rungs, name in zip(one.rungs, one.names, strict=True)
        for rung in rungs
    ]


def _value(value: Any) -> str:
    return "–" if value is None else str(value)
