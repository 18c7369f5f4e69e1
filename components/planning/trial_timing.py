"""Time the trial run of a training stage: the real function with a few steps, by the metrics that it logs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import psutil

from components.run import Metrics, RecordedRun
from components.training.store import CheckpointStore

STEP, VALIDATION = "loss", "validation_loss"
"""The suffixes of the metrics that a training logs at every step, and at every validation."""


class TimedRun(RecordedRun):
    """A run that records the time of each step and validation and the memory after each step, and keeps no figures.

    `draw`: whether they are drawn.
    """

    def __init__(self, folder: Path, draw: bool = True) -> None:
        super().__init__()
        self.folder, self.draw = folder, draw
        self.marks: list[tuple[str, int, float]] = []
        self.memory: list[int] = []

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        for kind in (VALIDATION, STEP):
            if any(name.endswith(kind) for name in metrics):
                self.marks.append((kind, step, time.monotonic()))
                if kind == STEP:
                    self.memory.append(psutil.Process().memory_info().rss)
                return

    def log_figure(self, name: str, figure: Any) -> None:
        if self.draw:  # as for MLflow: that takes memory too
            figure.savefig(self.folder / name, dpi=120, bbox_inches="tight")


@dataclass(frozen=True)
class TrialTiming:
    """Seconds of a stage in a trial run. `steps`: between the ends of two steps; `after`: from the last mark on.

    `memory`: resident bytes after each step.
    """

    seconds: float
    steps: tuple[float, ...]
    validations: tuple[float, ...]
    trainings: int
    after: float
    memory: tuple[int, ...] = ()

    @classmethod
    def of(
        cls, marks: list[tuple[str, int, float]], began: float, ended: float, memory: Sequence[int] = ()
    ) -> TrialTiming:
        """From the marks of a TimedRun. The first step of a training is in no interval: it is a warm-up."""
        pairs = list(pairwise(marks))
        return cls(
            seconds=ended - began,
            steps=tuple(b[2] - a[2] for a, b in pairs if a[0] == b[0] == STEP and b[1] == a[1] + 1),
            validations=tuple(b[2] - a[2] for a, b in pairs if a[0] == STEP and b[0] == VALIDATION),
            trainings=sum(kind == STEP and step == 1 for kind, step, _ in marks),
            after=ended - (marks[-1][2] if marks else began),
            memory=tuple(memory),
        )

    def followed_by(self, other: TrialTiming) -> TrialTiming:
        """The intervals and the memory of both; seconds of this one."""
        return replace(
            self,
            steps=self.steps + other.steps,
            validations=self.validations + other.validations,
            trainings=self.trainings + other.trainings,
            memory=self.memory + other.memory,
        )

    @property
    def count(self) -> int:
        """The number of steps, those without an interval included."""
        return len(self.steps) + self.trainings

    @property
    def error(self) -> float:
        """The standard error of the mean step, relative to it; 1 with fewer than two intervals."""
        if len(self.steps) < 2:
            return 1.0
        return stdev(self.steps) / len(self.steps) ** 0.5 / mean(self.steps)

    @property
    def validation_seconds(self) -> float:
        """Seconds of a validation; 0 where nothing was trained."""
        return median(self.validations) if self.validations else 0.0

    def step_seconds(self, alike: bool) -> float:
        """Seconds of a step: the median where all are `alike`, the mean where their batches differ; 0 without steps."""
        if not self.steps:
            return 0.0
        return median(self.steps) if alike else mean(self.steps)


def time_trial(
    function: Callable[..., Metrics], given: dict[str, Any], outputs: tuple[str, ...], folder: Path, draw: bool = True
) -> TrialTiming:
    """Run a stage function with these arguments, its outputs and checkpoints in `folder`; `draw`: its figures too."""
    folder.mkdir(parents=True)
    run = TimedRun(folder, draw)
    written = {name: folder / name for name in outputs}
    began = time.monotonic()
    function(**given | written, checkpoints=CheckpointStore(folder / "checkpoints"), run=run)
    return TrialTiming.of(run.marks, began, time.monotonic(), run.memory)
