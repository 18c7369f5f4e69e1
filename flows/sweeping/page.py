"""The page of a sweep: its trials, which parameters matter, and each trial as a line across its parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure

from components.evaluation.figures import ACCENT, GRID, INK
from components.evaluation.page import picture, section, table, write_html
from flows.sweeping.spec import Choices, FloatRange, IntRange, SweepFile
from flows.sweeping.study import Trial

Range = FloatRange | IntRange | Choices


def write_sweep(
    path: Path, name: str, spec: SweepFile, trials: Sequence[Trial], best: Trial | None, importance: Mapping[str, float]
) -> None:
    """Write the page; it needs no network."""
    metric = f"{spec.objective.metric} of {spec.objective.file}"
    goal = "the largest" if spec.objective.direction == "maximize" else "the smallest"
    parts = [f"<h1>{escape(name)}: {goal} {escape(metric)}</h1>"]
    if best is None:
        parts.append("<p>No trial ran whole.</p>")
    else:
        parts.append(f"<p>Best: trial {best.number}, {best.value:.6g}.</p>")
        parts.append(section("Every trial across its parameters", picture(_lines(spec, trials, best), "trials")))
    if importance:
        told = "Share of the variance between trials that a parameter explains (fANOVA). Few trials tell little."
        figure = picture(_bars(importance), "importance of the parameters")
        parts.append(section("Importance", f'{figure}<p class="note">{told}</p>'))
    header = ["trial", "state", spec.objective.metric, "s", *spec.parameters]
    parts.append(section("Trials", table(header, [row(trial, spec) for trial in ranked(trials, spec)])))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_html(path, f"Sweep {name}", parts)


def ranked(trials: Sequence[Trial], spec: SweepFile) -> list[Trial]:
    """The best first, those without a result last."""
    sign = -1 if spec.objective.direction == "maximize" else 1
    return sorted(trials, key=lambda one: (one.value is None, sign * (one.value or 0.0), one.number))


def row(trial: Trial, spec: SweepFile) -> list[str]:
    """The cells of a trial."""
    value = "–" if trial.value is None else f"{trial.value:.6g}"
    seconds = "–" if trial.seconds is None else f"{trial.seconds:.0f}"
    return [
        str(trial.number),
        trial.state,
        value,
        seconds,
        *(_cell(trial.values.get(name)) for name in spec.parameters),
    ]


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _bars(importance: Mapping[str, float]) -> Figure:
    figure = Figure(figsize=(8, 0.6 + 0.4 * len(importance)), layout="constrained")
    axes = figure.subplots()
    names = list(importance)[::-1]
    axes.barh(names, [importance[name] for name in names], color=ACCENT)
    axes.set_xlim(0, 1)
    axes.grid(axis="x", color=GRID)
    axes.set_axisbelow(True)
    return figure


def _lines(spec: SweepFile, trials: Sequence[Trial], best: Trial) -> Figure:
    """Parallel coordinates (Inselberg 1985): an axis a parameter, the objective's last; the best trial drawn bold."""
    done = [trial for trial in trials if trial.value is not None]
    values = [float(trial.value or 0.0) for trial in done]
    low, high = min(values), max(values)
    spread = (high - low) or 1.0
    figure = Figure(figsize=(9.2, 4.2), layout="constrained")
    axes = figure.subplots()
    places = range(len(spec.parameters) + 1)
    for trial, value in sorted(zip(done, values, strict=True), key=lambda pair: pair[0].number == best.number):
        share = (value - low) / spread
        heights = [_height(one, trial.values.get(name)) for name, one in spec.parameters.items()]
        bold = trial.number == best.number
        color = INK if bold else colormaps["viridis"](share)
        axes.plot(places, [*heights, share], color=color, linewidth=2.4 if bold else 1.2, alpha=1 if bold else 0.8)
    for place, one in enumerate(spec.parameters.values()):
        axes.axvline(place, color=GRID, zorder=0)
        for end in one.ends():
            axes.text(place, _height(one, end), f" {_cell(end)}", fontsize=8, va="center")
    axes.axvline(len(spec.parameters), color=GRID, zorder=0)
    for value in {low, high}:
        axes.text(len(spec.parameters), (value - low) / spread, f" {value:.4g}", fontsize=8, va="center")
    axes.set_xticks(list(places), [*spec.parameters, spec.objective.metric])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    return figure


def _height(one: Range, value: Any) -> float:
    """0 at the low end, 1 at the high one."""
    if isinstance(one, Choices):
        return one.values.index(value) / (len(one.values) - 1)
    scale = math.log if one.log else float
    return (scale(value) - scale(one.low)) / (scale(one.high) - scale(one.low))
