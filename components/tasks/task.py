"""A task as every stage sees it: its columns, its head, its loss, its answers and its metrics (docs/decisions/0044).

Needs numpy alone. A kind imports torch inside `loss`, so that curating and serving do without it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from components.tasks.metrics import Metric, score

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast as Tokenizer

Row = Mapping[str, Any]
"""A JSON line of artifacts/tasks/NAME: `id`, and the columns of the kind."""


class Column(StrEnum):
    """What the values of a column are."""

    TEXT = "text"
    LABEL = "label"
    NUMBER = "number"
    TAGS = "tags"


NO_TARGET = -100
"""A target that counts for nothing: of a token that no answer is asked of. PyTorch's losses pass over it."""


@dataclass(frozen=True)
class Output:
    """What a head answers with, [rows, labels], or [rows, length, labels] where it says something of each token.

    The kind decides how a student learns from its teacher: by KL divergence, or MSE.
    """

    name: str
    kind: Literal["categorical", "real"]
    per_token: bool = False


@dataclass(frozen=True)
class Example:
    """What a model reads at once: token ids and the like by their names in the graph, and the row they come from.

    `places`: of each word of the row the token that it begins in, where words are what is answered about.
    """

    features: dict[str, list[int]]
    row: int
    places: Sequence[int] = ()


@dataclass(frozen=True)
class Task(ABC):
    """A kind of task, fitted to its training rows. `labels`: what the numbers of an output are called, in order.

    `target`: the column with what a row should be answered with.
    """

    labels: tuple[str, ...]

    kind: ClassVar[str]
    columns: ClassVar[Mapping[str, Column]]
    target: ClassVar[str] = "label"
    head: ClassVar[str]
    output: ClassVar[Output]

    @classmethod
    @abstractmethod
    def fit(cls, targets: Sequence[Any]) -> Self:
        """The task whose training rows have these targets. Raises ValueError where none can be learned."""

    @classmethod
    @abstractmethod
    def from_manifest(cls, made: Mapping[str, Any]) -> Self:
        """The task that `manifest` described."""

    @property
    @abstractmethod
    def metrics(self) -> tuple[Metric, ...]:
        """The first decides: early stopping, quantization, gate and release go by it."""

    @property
    @abstractmethod
    def expected(self) -> str:
        """What a row may have as its target, for a message."""

    @abstractmethod
    def check(self, target: object) -> None:
        """Raise ValueError, saying why, where a row cannot have this target."""

    def check_row(self, row: Row) -> None:
        """Raise ValueError, saying why, where a row's target cannot be the one of its text."""
        self.check(row[self.target])

    @abstractmethod
    def targets(self, rows: Sequence[Row]) -> np.ndarray:
        """What the rows' answers should be, as `decode` gives them: [rows], or [rows, words]. No tokenizer is asked."""

    def learned(self, rows: Sequence[Row], examples: Sequence[Example]) -> Sequence[Any] | np.ndarray:
        """What the loss compares the examples' outputs with: a number each, or one for each token (NO_TARGET: none)."""
        return self.targets(rows)

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """The sum over targets of what a model's outputs are wrong by."""

    def reduced(self, outputs: np.ndarray, places: Sequence[Sequence[int]]) -> np.ndarray:
        """What is needed of some rows' outputs [rows, length, ...] to answer: here all of it. `places`: of examples."""
        return outputs

    @abstractmethod
    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """The answers [rows], or [rows, words], that reduced outputs stand for."""

    @abstractmethod
    def values(self, answers: np.ndarray) -> list[Any]:
        """Answers as rows have them for targets."""

    @abstractmethod
    def same(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Of two models' answers, which rows' are as good as the same: bool [rows]."""

    def manifest(self) -> dict[str, Any]:
        """What a manifest says of the task, so that `from_manifest` makes it again."""
        return {"task_kind": self.kind, "labels": list(self.labels)}

    def stratum(self, row: Row) -> str:
        """A share of the training rows takes as much from every stratum."""
        return ""

    def encode(self, rows: Sequence[Row], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        """Token ids of each row's text, special tokens among them, no longer than max_length."""
        ids = tokenizer([row["text"] for row in rows], truncation=True, max_length=max_length)["input_ids"]
        return [Example({"input_ids": found}, row) for row, found in enumerate(ids)]

    def agreement(self, one: np.ndarray, other: np.ndarray) -> float:
        """The share of rows that two models answer alike."""
        return float(self.same(one, other).mean())

    def scores(self, targets: np.ndarray, answers: np.ndarray) -> dict[str, float]:
        """Every metric of some answers."""
        return {metric.name: score(metric, targets, answers) for metric in self.metrics}


def padded(rows: Sequence[Sequence[int]], value: int = NO_TARGET) -> np.ndarray:
    """Rows of numbers as int64 [rows, the longest]."""
    found = np.full((len(rows), max((len(row) for row in rows), default=0)), value, dtype=np.int64)
    for number, row in enumerate(rows):
        found[number, : len(row)] = row
    return found
