"""The comparison of two results as one page: a sentence a task, quality against latency and size, what differs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from components.evaluation.figures import ACCENT, GRID, INK, QUIET
from components.evaluation.page import picture, section, table, write_html
from flows.comparison.inputs import Differences
from flows.comparison.models import Pair, Rung

COLORS = (QUIET, ACCENT)


def write_comparison(
    path: Path, names: tuple[str, str], made_from: Differences, pairs: Sequence[Pair], left_out: Sequence[str]
) -> None:
    """Write the page; `left_out`: sentences on tasks whose models could not be compared."""
    parts = [f"<h1>{escape(names[1])} beside {escape(names[0])}</h1>"]
    for pair in pairs:
        parts += [
            f"<h2>{escape(pair.task)}</h2>",
            f"<p>{escape(pair.told)} ({pair.rows:,} test rows).</p>",
            picture(pareto_figure(pair, names), f"{pair.metric.title} against latency and size of every rung"),
            table(["of", "rung", pair.metric.title, "ms a row", "MB"], _rungs(pair, names)),
        ]
    parts += [f"<p>{escape(told)}</p>" for told in left_out]
    for title, found in (("Parameters", made_from.parameters), ("Libraries", made_from.libraries)):
        rows = [(name, _value(before), _value(now)) for name, (before, now) in found.items()]
        parts.append(section(title, table(["", *names], rows)) if rows else f"<p>{title}: no difference.</p>")
    for title, told in (("Code", made_from.code), ("Data", made_from.data)):
        files = list(told.items())
        shown = section(title, table(["file", "difference"], files)) if files else f"<p>{title}: no difference.</p>"
        parts.append(shown)
    parts.append(
        '<p class="note">Scores are of the same test rows, those of the second result; the difference is paired over '
        "them, with its percentile bootstrap interval. Rungs answered in turn on this machine, one thread each, "
        "tokenizer included.</p>"
    )
    write_html(path, f"{names[1]} beside {names[0]}", parts)


def pareto_figure(pair: Pair, names: tuple[str, str]) -> Figure:
    """Quality against milliseconds and against megabytes, every rung of both; filled: the one that answers. A line
    goes through the rungs that no other beats in both."""
    figure = Figure(figsize=(9.2, 3.8), layout="constrained")
    for axes, measure, label in zip(
        figure.subplots(1, 2), ("milliseconds", "megabytes"), ("ms a row", "MB"), strict=True
    ):
        for rungs, color, name in zip(pair.rungs, COLORS, names, strict=True):
            for rung in rungs:
                fill = color if rung.default else "white"
                axes.plot(getattr(rung, measure), rung.score, "o", color=color, markerfacecolor=fill, markersize=8)
            axes.plot([], [], "o", color=color, label=name)
        best = front([rung for rungs in pair.rungs for rung in rungs], measure, pair.metric.larger_is_better)
        axes.plot(
            [getattr(one, measure) for one in best], [one.score for one in best], color=INK, linewidth=1, zorder=0
        )
        axes.set_xlabel(label)
        axes.set_ylabel(pair.metric.title)
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


def _rungs(pair: Pair, names: tuple[str, str]) -> list[tuple[str, ...]]:
    return [
        (
            name,
            f"{rung.name} (answers)" if rung.default else rung.name,
            f"{rung.score:.4f}",
            f"{rung.milliseconds:.3f}",
            f"{rung.megabytes:.3f}",
        )
        for rungs, name in zip(pair.rungs, names, strict=True)
        for rung in rungs
    ]


def _value(value: Any) -> str:
    return "–" if value is None else str(value)
