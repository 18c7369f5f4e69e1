"""Texts with one number each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from components.errors import EngineError
from components.tasks.metrics import MeanAbsoluteError, Metric, Pearson, Spearman
from components.tasks.task import Column, Output, Row, Task

if TYPE_CHECKING:
    from torch import Tensor

SMALL = 0.2
"""Standard deviations that two answers may lie apart and be the same: a small difference (Cohen 1988)."""


@dataclass(frozen=True)
class Regression(Task):
    """Squared error of standardized numbers: `mean` and `deviation` of the training rows are their 0 and 1.

    So one learning rate, one limit of the gate and one temperature of rounding fit stars from 1 to 5 and prices alike.
    """

    mean: float = 0.0
    deviation: float = 1.0

    kind = "regression"
    columns: ClassVar = {"text": Column.TEXT, "label": Column.NUMBER}
    head = "sequence"
    output = Output("logits", "real")

    @classmethod
    def fit(cls, targets: Sequence[Any]) -> Self:
        # Exact sums: the same numbers on every machine.
        mean = math.fsum(targets) / len(targets)
        deviation = math.sqrt(math.fsum((target - mean) ** 2 for target in targets) / len(targets))
        if deviation == 0:
            raise ValueError(f"every train row has the number {targets[0]:g}; a regression needs two or more")
        return cls(("number",), mean, deviation)

    @classmethod
    def from_manifest(cls, made: Mapping[str, Any]) -> Self:
        mean, deviation = float(made["mean"]), float(made["deviation"])
        if not (math.isfinite(mean) and 0 < deviation < math.inf):
            raise ValueError(f"mean {mean} and deviation {deviation} are no scale")
        return cls(tuple(made["labels"]), mean, deviation)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return Pearson(), Spearman(), MeanAbsoluteError()

    @property
    def expected(self) -> str:
        return "a finite number"

    def manifest(self) -> dict[str, Any]:
        return super().manifest() | {"mean": self.mean, "deviation": self.deviation}

    def check(self, target: object) -> None:
        if isinstance(target, bool) or not isinstance(target, int | float) or not math.isfinite(target):
            raise ValueError(f"label {target!r} is not a finite number")

    def targets(self, rows: Sequence[Row]) -> np.ndarray:
        return np.array([row["label"] for row in rows], dtype=np.float64)

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        wanted = ((targets - self.mean) / self.deviation).float()
        return (outputs.float()[:, 0] - wanted).square().sum()

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        numbers: np.ndarray = outputs[:, 0].astype(np.float64) * self.deviation + self.mean
        if len(strange := np.flatnonzero(~np.isfinite(numbers))):
            raise EngineError(f"the answer to row {strange[0]} is {numbers[strange[0]]}, not a finite number")
        return numbers

    def values(self, answers: np.ndarray) -> list[Any]:
        return [float(f"{answer:.9g}") for answer in answers]

    def same(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        apart: np.ndarray = np.abs(one - other)
        return apart <= SMALL * self.deviation
