"""What kinds have in common that a language model answers token by token: with a text, or about the row's own text."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from components.tasks.task import Output, Row, Task

LABELS = ("token",)
"""Its outputs are over the vocabulary, whose names the tokenizer has."""


@dataclass(frozen=True)
class LanguageModelTask(Task):
    """Cross-entropy of each token behind those before it. Its answers are no classes, and no table of them is made."""

    output = Output("logits", "categorical", per_token=True)

    @classmethod
    def fit(cls, targets: Sequence[Any]) -> Self:
        return cls(LABELS)

    @classmethod
    def from_manifest(cls, made: Mapping[str, Any]) -> Self:
        return cls(LABELS)

    @property
    def expected(self) -> str:
        return "a text"

    def check(self, target: object) -> None:
        if not isinstance(target, str) or not target.strip():
            raise ValueError(f"{self.target} {target!r:.60} is no text")

    @abstractmethod
    def answered(self, row: Row, text: str) -> Row | None:
        """The row with another (last) answer; None where it has none, or the text is no answer."""

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """What has been written, or said of each token, is the answer."""
        return outputs

    def row(self, text: Any, target: Any) -> dict[str, Any]:
        # Validation and drift look at a label of every row: there is none to be wrong.
        return super().row(text, target) | {"label": ""}

    def pairs(self, targets: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """None: nearly every answer is another. Both have the form of answers, which alone `values` reads."""
        return answers[:0], answers[:0]

    def class_counts(self, targets: np.ndarray, answers: np.ndarray) -> dict[str, tuple[int, int, int]]:
        return {}
