"""Pictures of an evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font

from components.evaluation.baselines.table import BASELINES, to_beat
from components.tasks.task import Task

TITLES = {
    "baseline": "counting words (TF-IDF)",
    "without_pretraining": "teacher without pretraining",
    "teacher": "teacher",
    "student": "student, distilled",
    "onnx": "student as ONNX, fp32",
    "fp32": "fp32",
    "int8": "int8, dynamic",
    "int8_static": "int8, static",
    "int4_embeddings": "int8, embeddings int4",
    "candidate": "candidate for release",
}
"""Systems and rungs; `title_of` says which baseline a task has."""
REFERENCES = ("baseline", *BASELINES, "without_pretraining")
DEFAULT_FAMILY = "DejaVu Sans"
INK, QUIET, ACCENT, GRID = "#1f2933", "#8a96a3", "#0f6fc5", "#dde3e9"


def title_of(system: str, task: Task) -> str:
    """What a system is called on pages."""
    if system == "baseline":
        return to_beat(task).title
    return BASELINES[system].title if system in BASELINES else TITLES[system]


def rungs_figure(scores: Mapping[str, Mapping[str, float]], task: Task) -> Figure:
    """The first metric of each rung with its interval, from the baseline at the top to the candidate for release."""
    metric = task.metrics[0]
    figure = Figure(figsize=(7.5, 0.5 * len(scores) + 1.1), layout="constrained")
    axes = figure.subplots()
    places = range(len(scores))
    for place, (name, score) in zip(places, scores.items(), strict=True):
        color = QUIET if name in REFERENCES else ACCENT
        value, low, high = (score[f"{metric.name}{end}"] for end in ("", "_low", "_high"))
        axes.plot([low, high], [place, place], color=color, linewidth=2.5, solid_capstyle="round", alpha=0.55)
        axes.plot(value, place, "o", color=color, markersize=8)
        axes.annotate(
            f"{value:.3f}", (value, place), (0, 7), textcoords="offset points", ha="center", color=INK, fontsize=9
        )
    axes.set_yticks(places, [title_of(name, task) for name in scores])
    axes.set_ylim(len(scores) - 0.5, -0.75)
    axes.set_xlabel(f"{metric.title} on test rows, with bootstrap interval")
    _plain(axes)
    return figure


def confusion_figure(matrix: np.ndarray, labels: Sequence[str]) -> Figure:
    """The confusion matrix: colour is the share of the actual label's rows, the number their count."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = max(3.6, 0.55 * len(labels) + 1.8)
    figure = Figure(figsize=(side + 1.0, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), labels)
    for tick in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        tick.set_fontfamily([family_for(labels), DEFAULT_FAMILY])
    axes.set(xlabel="predicted", ylabel="actual")
    for row, column in np.argwhere(matrix > 0):
        color = "white" if shares[row, column] > 0.55 else INK
        axes.text(column, row, str(matrix[row, column]), ha="center", va="center", color=color, fontsize=8)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, label="share of the actual label's rows")
    bar.outline.set_visible(False)
    return figure


def scatter_figure(actual: np.ndarray, predicted: np.ndarray) -> Figure:
    """Each row's number and the one it was answered with; on the line they are the same."""
    figure = Figure(figsize=(5.2, 5.0), layout="constrained")
    axes = figure.subplots()
    ends = [min(actual.min(), predicted.min()), max(actual.max(), predicted.max())]
    axes.plot(ends, ends, color=QUIET, linewidth=1)
    axes.plot(actual, predicted, "o", color=ACCENT, markersize=3, alpha=0.5)
    axes.set(xlabel="actual", ylabel="predicted")
    _plain(axes)
    return figure


def latency_figure(latency: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Figure:
    """Milliseconds a call: a bar to the median, a line on to the 95th percentile; one panel a batch size."""
    batches = list(next(iter(latency.values())))
    figure = Figure(figsize=(4.2 * len(batches) + 1.6, 0.45 * len(latency) + 1.2), layout="constrained")
    panels: Sequence[Any] = figure.subplots(1, len(batches), sharey=True, squeeze=False)[0]
    for axes, batch in zip(panels, batches, strict=True):
        for place, (name, found) in enumerate(latency.items()):
            p50, p95 = found[batch]["p50"], found[batch]["p95"]
            axes.barh(place, p50, height=0.55, color=QUIET if name in REFERENCES else ACCENT)
            axes.plot([p50, p95], [place, place], color=INK, linewidth=1)
            axes.annotate(
                f" {p50:.2f}", (p95, place), (2, 0), textcoords="offset points", va="center", color=INK, fontsize=9
            )
        axes.set_yticks(range(len(latency)), [TITLES[name] for name in latency])
        axes.set_xlim(0, 1.18 * max(found[batch]["p95"] for found in latency.values()))
        axes.set(xlabel="milliseconds, p50 and p95", title=batch.replace("_", " "))
        _plain(axes)
    panels[0].invert_yaxis()
    return figure


@lru_cache
def _fonts() -> list[tuple[str, str]]:
    """(family, file) of the installed fonts, without the one that draws a box for every character."""
    found = {(entry.name, entry.fname) for entry in font_manager.fontManager.ttflist}
    return sorted(font for font in found if not font[0].startswith("Last Resort"))


def family_for(texts: Iterable[str]) -> str:
    """An installed font family that has every character of the texts, or the default one where none has."""
    characters = {ord(character) for text in texts for character in text}
    if max(characters, default=0) < 0x500:
        return DEFAULT_FAMILY
    for name, path in _fonts():
        if characters <= set(FT2Font(path).get_charmap()):
            return name
    return DEFAULT_FAMILY


def _plain(axes: Axes) -> None:
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
