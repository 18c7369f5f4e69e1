"""A baseline as the evaluation sees it, and what it is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from components.deployment.rows import Rows
from components.tasks.task import Task


@dataclass(frozen=True)
class TuningData:
    """The training rows that a baseline is fitted to, and the validation rows that its setting is chosen on.

    `bundle`: the folder with the model's tokenizer, and `made`, its manifest: baselines of language models need both.
    `seed`: of what is drawn.
    """

    task: Task
    train: Rows
    validation: Rows
    language: str
    bundle: Path = Path()
    made: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0


class Choice(Protocol):
    """The setting that is the best on the validation rows, for a person as `str`."""

    def metrics(self) -> dict[str, float]:
        """As numbers, for a metrics file."""


class Baseline(Protocol):
    """`title`: the method's name."""

    title: str

    @property
    def choice(self) -> Choice: ...

    @classmethod
    def tuned(cls, data: TuningData) -> Self:
        """Fitted, with the best setting; the same data give the same baseline."""

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The answers to texts, as the task's `decode` gives them."""

    def megabytes(self) -> float:
        """Of what it has learned."""
