"""What kinds have in common whose rows have one label each: about a text, or about two spans in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from components.tasks.task import Column, Output, Row, Task

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SingleLabel(Task):
    """Cross-entropy with label smoothing (Szegedy 2016); the likeliest label is the answer, as its number."""

    columns: ClassVar = {"text": Column.TEXT, "label": Column.LABEL}
    head = "sequence"
    output = Output("logits", "categorical")

    @property
    def expected(self) -> str:
        return f"one of {', '.join(self.labels)}"

    def check(self, target: object) -> None:
        if target not in self.labels:
            raise ValueError(f"label {target!r:.60} is not among the labels")

    def stratum(self, row: Row) -> str:
        return str(row["label"])

    def targets(self, rows: Sequence[Row]) -> np.ndarray:
        numbers = {label: number for number, label in enumerate(self.labels)}
        return np.array([numbers[row["label"]] for row in rows], dtype=np.int64)

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs.float(), targets, label_smoothing=label_smoothing, reduction="sum")

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        answers: np.ndarray = np.nan_to_num(outputs, nan=-np.inf).argmax(axis=-1)
        return answers

    def values(self, answers: np.ndarray) -> list[Any]:
        return [self.labels[number] for number in answers]

    def same(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return one == other
