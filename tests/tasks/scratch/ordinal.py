"""Texts with one grade each, from 1 up: a kind of task as somebody may bring it, in this file alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from components.tasks.metrics import Accuracy, Metric
from components.tasks.task import Column, Output, Row, Task

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class WeightedKappa(Metric):
    """Cohen's kappa with quadratic weights (Cohen 1968): 1 - the squared errors over those of independent raters."""

    name, title, larger_is_better = "weighted_kappa", "weighted kappa", True

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """1, x, y, x², y² and (x - y)² of each row."""
        x, y = targets.astype(np.float64), answers.astype(np.float64)
        return np.stack([np.ones(len(x)), x, y, x * x, y * y, (x - y) ** 2], axis=1)

    def value(self, sums: np.ndarray) -> np.ndarray:
        count, x, y, xx, yy, errors = np.moveaxis(sums, -1, 0)
        by_chance = xx + yy - 2 * x * y / np.maximum(count, 1)
        return np.where(by_chance > 0, 1 - errors / np.where(by_chance > 0, by_chance, 1), 0.0)


@dataclass(frozen=True)
class Ordinal(Task):
    """Cross-entropy with grades that are less wrong the nearer they are (SORD, Diaz and Marathe 2019)."""

    kind = "ordinal"
    columns: ClassVar = {"text": Column.TEXT, "label": Column.LABEL}
    head = "sequence"
    output = Output("logits", "categorical")
    metrics = (WeightedKappa(), Accuracy())
    expected = "a grade, a whole number from 1 up"

    @classmethod
    def fit(cls, targets: Sequence[Any]) -> Self:
        return cls(tuple(str(grade) for grade in range(1, 1 + max(map(int, targets)))))

    @classmethod
    def from_manifest(cls, made: Mapping[str, Any]) -> Self:
        return cls(tuple(made["labels"]))

    def check(self, target: object) -> None:
        if target not in self.labels:
            raise ValueError(f"grade {target!r} is not among 1 to {self.labels[-1]}")

    def targets(self, rows: Sequence[Row]) -> np.ndarray:
        return np.array([int(row["label"]) - 1 for row in rows], dtype=np.int64)

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        import torch

        grades = torch.arange(len(self.labels), device=targets.device)
        wanted = (-2.0 * (grades - targets[:, None]).abs()).softmax(dim=1)
        return torch.nn.functional.cross_entropy(outputs.float(), wanted, reduction="sum")

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        return np.nan_to_num(outputs, nan=-np.inf).argmax(axis=-1)

    def values(self, answers: np.ndarray) -> list[Any]:
        return [self.labels[number] for number in answers]

    def same(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return one == other
