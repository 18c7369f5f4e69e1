"""Texts with any number of labels each, none among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from components.tasks.metrics import MacroF1, Metric, MicroF1
from components.tasks.task import Column, Output, Row, Task

if TYPE_CHECKING:
    from torch import Tensor

NONE = "none"
"""Beside a label that is only in the target, or only in the answer, in a table of both."""


@dataclass(frozen=True)
class LabelMacroF1(MacroF1):
    """The mean of the labels' F1, each label a question of its own; targets and answers are 0 or 1, [rows, labels]."""

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Of each label whether both have it, and how many of the two do: [rows, 2 * labels]."""
        return np.concatenate([targets & answers, targets + answers], axis=1).astype(np.float64)


@dataclass(frozen=True)
class MultiLabel(Task):
    """A logistic regression for each label over one encoder (binary relevance, Tsoumakas 2007): cross-entropy of each.

    Targets and answers are int64 [rows, labels] of 0 and 1. `threshold`: the probability from which a label is given.
    """

    threshold: float = 0.5

    kind = "multi_label"
    columns: ClassVar = {"text": Column.TEXT, "labels": Column.LABELS}
    target = "labels"
    head = "sequence"
    output = Output("logits", "binary")

    @classmethod
    def fit(cls, targets: Sequence[Any], threshold: float = 0.5) -> Self:
        labels = sorted({label for target in targets for label in target})
        if len(labels) < 2:
            found = f"the label '{labels[0]}' alone" if labels else "no label"
            raise ValueError(f"the train rows have {found}; kind multi_label needs two or more")
        return cls(tuple(labels), threshold)

    @classmethod
    def from_manifest(cls, made: Mapping[str, Any]) -> Self:
        threshold = float(made["threshold"])
        if not 0 < threshold < 1:
            raise ValueError(f"threshold {threshold} is no probability between 0 and 1")
        return cls(tuple(made["labels"]), threshold)

    def manifest(self) -> dict[str, Any]:
        return super().manifest() | {"threshold": self.threshold}

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return MicroF1(), LabelMacroF1(len(self.labels))

    @property
    def expected(self) -> str:
        return f"a list with any of {', '.join(self.labels)}"

    def check(self, target: object) -> None:
        if not isinstance(target, list):
            raise ValueError(f"labels {target!r:.60} are no list")
        if strange := next((label for label in target if label not in self.labels), None):
            raise ValueError(f"label {strange!r:.60} is not among the labels")

    def classes(self, target: Any) -> list[str]:
        return list(target)

    def targets(self, rows: Sequence[Row]) -> np.ndarray:
        return np.array([[label in row["labels"] for label in self.labels] for row in rows], dtype=np.int64)

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        from torch.nn.functional import binary_cross_entropy_with_logits

        wanted = targets.float() * (1 - label_smoothing) + label_smoothing / 2
        return binary_cross_entropy_with_logits(outputs.float(), wanted, reduction="sum")

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        # A logit is compared, not its probability: no rounding of an exponential decides.
        least = np.log(self.threshold) - np.log1p(-self.threshold)
        return (np.nan_to_num(outputs, nan=-np.inf) >= least).astype(np.int64)

    def values(self, answers: np.ndarray) -> list[Any]:
        if answers.ndim == 1:  # of `pairs`: single labels, without their rows
            return [self.labels[number] if number < len(self.labels) else NONE for number in answers]
        return [[self.labels[number] for number in np.flatnonzero(row)] for row in answers]

    def same(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        alike: np.ndarray = (one == other).all(axis=1)
        return alike

    def agreement(self, one: np.ndarray, other: np.ndarray) -> float:
        """The share of all decisions, a label of a row each, that two models take alike."""
        return float((one == other).mean())

    def class_counts(self, targets: np.ndarray, answers: np.ndarray) -> dict[str, tuple[int, int, int]]:
        counts = ((targets & answers).sum(axis=0), targets.sum(axis=0), answers.sum(axis=0))
        both = zip(*(found.tolist() for found in counts), strict=True)
        return dict(zip(self.labels, both, strict=True))

    def pairs(self, targets: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each label that a row's target or answer has: beside itself, or NONE on the other side."""
        rows, labels = np.nonzero(targets | answers)
        none = len(self.labels)
        return np.where(targets[rows, labels], labels, none), np.where(answers[rows, labels], labels, none)
