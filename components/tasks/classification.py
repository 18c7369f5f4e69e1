"""Texts with one label each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from components.tasks.metrics import Accuracy, MacroF1, Metric
from components.tasks.single_label import SingleLabel


@dataclass(frozen=True)
class Classification(SingleLabel):
    """Sentiment, topic, intent; of two texts also inference and paraphrase."""

    kind = "classification"

    @classmethod
    def fit(cls, targets: Sequence[Any]) -> Self:
        labels = sorted(set(targets))
        if len(labels) < 2:
            raise ValueError(f"every train row has the label '{labels[0]}'; a classifier needs two or more")
        return cls(tuple(labels))

    @classmethod
    def from_manifest(cls, made: Mapping[str, Any]) -> Self:
        return cls(tuple(made["labels"]))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return MacroF1(len(self.labels)), Accuracy()
