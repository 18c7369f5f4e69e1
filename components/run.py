"""What a stage may say while it works: numbers, figures, files, progress.

Stages know this protocol alone. `stage_process` hands them a run that MLflow
remembers (`components.tracking`); tests hand them a `RecordedRun`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Metrics = dict[str, Any]
"""Nested dict whose leaves are numbers: what a stage returns and `dvc metrics` shows."""

SYSTEM = "system/"
"""Prefix of step metrics that depend on the machine (rates, seconds): tracked, never written to a DVC output."""


class Run(Protocol):
    """A recipient of what a stage reports."""

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Record metrics of a training step. Names starting with `system/` depend on the machine."""

    def log_figure(self, name: str, figure: Figure) -> None:
        """Record a picture under a file name such as `loss.png`."""

    def log_files(self, path: Path, folder: str = "") -> None:
        """Record a file, or all files of a folder, for people to look at."""

    def say(self, line: str) -> None:
        """Tell the person watching one line."""


@dataclass
class RecordedRun:
    """A run that keeps what it is told in memory."""

    steps: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    figures: dict[str, Figure] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        self.steps.append((step, dict(metrics)))

    def log_figure(self, name: str, figure: Figure) -> None:
        self.figures[name] = figure

    def log_files(self, path: Path, folder: str = "") -> None:
        self.files.append(path)

    def say(self, line: str) -> None:
        self.lines.append(line)


class Progress:
    """A line with rate and time left: redrawn in place on a terminal, now and then elsewhere."""

    def __init__(self, label: str, total: int, unit: str, every_seconds: float, silent: bool = False) -> None:
        self.label, self.total, self.unit, self.every = label, total, unit, every_seconds
        self.silent = silent
        self.done = self.before = 0
        self.began = self.shown = time.monotonic()

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Count `amount` more units done; `note` is shown behind the rate."""
        self.done += amount
        now = time.monotonic()
        if not self.silent and (now - self.shown >= self.every or self.done >= self.total):
            self.shown = now
            self._show(now - self.began, note)

    def _show(self, elapsed: float, note: str) -> None:
        rate = (self.done - self.before) / elapsed if elapsed > 0 else 0.0
        left = max(self.total - self.done, 0) / rate if rate else 0.0
        line = (
            f"{self.label}  {100 * self.done / max(self.total, 1):3.0f} %  "
            f"{rate:,.0f} {self.unit}/s  {_clock(left)} left  {note}"
        ).rstrip()
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[2K{line}")
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def skip(self, amount: int) -> None:
        """Count `amount` units as done earlier: they say nothing about the rate."""
        self.done += amount
        self.before += amount

    def close(self) -> None:
        if sys.stderr.isatty() and self.done and not self.silent:
            sys.stderr.write("\n")


@contextmanager
def progress(label: str, total: int, unit: str, silent: bool = False) -> Iterator[Progress]:
    """Show progress of `total` units of work; call `.advance(n)` as they are done. `silent`: count them only."""
    shown = Progress(label, total, unit, 0.2 if sys.stderr.isatty() else 10.0, silent)
    try:
        yield shown
    finally:
        shown.close()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"
