"""Texts with some choices each, one of which is right: SWAG, RACE, ARC.

A model reads the text with each of the choices, a pair each, and gives each pair one score. How many choices there are
may differ from row to row, so a row's outputs [choices] are padded with what no choice can have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from components.tasks.metrics import Accuracy, Metric
from components.tasks.task import Column, Example, Output, Row, Task, Text, parts

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast as Tokenizer

LEAST = 2
"""Choices that a row needs."""


@dataclass(frozen=True)
class MultipleChoice(Task):
    """Cross-entropy over the scores of a row's choices (Radford 2018); the one with the largest is the answer, as its
    number from 0."""

    kind = "multiple_choice"
    columns: ClassVar = {"text": Column.TEXT, "choices": Column.CHOICES, "label": Column.CHOICE}
    head = "choices"
    output = Output("logits", "categorical", per_choice=True)

    @classmethod
    def fit(cls, targets: Sequence[Any]) -> Self:
        return cls(("score",))

    @classmethod
    def from_manifest(cls, made: Mapping[str, Any]) -> Self:
        return cls(tuple(made["labels"]))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Accuracy(),)

    @property
    def expected(self) -> str:
        return "the number of a choice, from 0"

    def check(self, target: object) -> None:
        if isinstance(target, bool) or not isinstance(target, int) or target < 0:
            raise ValueError(f"label {target!r:.60} is not the number of a choice")

    def check_row(self, row: Row) -> None:
        super().check_row(row)
        choices = row["choices"]
        if not isinstance(choices, list) or not all(isinstance(one, str) for one in choices) or len(choices) < LEAST:
            raise ValueError(f"choices {choices!r:.60} are no list of {LEAST} texts or more")
        if row["label"] >= len(choices):
            raise ValueError(f"label {row['label']} is not among {len(choices)} choices, counted from 0")

    def targets(self, rows: Sequence[Row]) -> np.ndarray:
        return np.array([row["label"] for row in rows], dtype=np.int64)

    def text(self, row: Row) -> Text:
        """The text, and its choices behind it."""
        return (row["text"], *row["choices"])

    def named(self, text: Any) -> dict[str, Any]:
        return {"text": text[0], "choices": list(text[1:])}

    def sequences(self, text: Text) -> list[Text]:
        """The text with each of its choices."""
        first, *choices = parts(text)
        return [(first, choice) for choice in choices]

    def encode(self, rows: Sequence[Row], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        """An example a choice, those of a row one after another."""
        pairs = [(number, pair) for number, row in enumerate(rows) for pair in self.sequences(self.text(row))]
        sides = [[pair[side] for _, pair in pairs] for side in (0, 1)]
        found = tokenizer(*sides, truncation=True, max_length=max_length, return_token_type_ids=True)
        both = zip(found["input_ids"], found["token_type_ids"], pairs, strict=True)
        return [Example({"input_ids": ids, "token_type_ids": types}, number) for ids, types, (number, _) in both]

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Without label smoothing, which would give choices that a row does not have a share."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs.float(), targets, reduction="sum")

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        answers: np.ndarray = np.nan_to_num(outputs, nan=-np.inf, neginf=-np.inf).argmax(axis=-1)
        return answers

    def values(self, answers: np.ndarray) -> list[Any]:
        return [int(number) for number in answers]

    def same(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return one == other

    def pairs(self, targets: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """None: the numbers of choices are no classes."""
        return targets[:0], answers[:0]

    def class_counts(self, targets: np.ndarray, answers: np.ndarray) -> dict[str, tuple[int, int, int]]:
        return {}
