"""Texts with their translation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from components.tasks.language_model import LABELS
from components.tasks.metrics import Metric
from components.tasks.sequence_to_sequence import Bleu, ChrF, SequenceToSequence, is_chinese


@dataclass(frozen=True)
class Translation(SequenceToSequence):
    """`tokens`: what BLEU cuts its texts into, by the language of the training rows' targets."""

    tokens: Literal["13a", "char"] = "13a"
    kind = "translation"

    @classmethod
    def fit(cls, targets: Sequence[Any]) -> Self:
        return cls(LABELS, tokens="char" if is_chinese(targets) else "13a")

    @classmethod
    def from_manifest(cls, made: Mapping[str, Any]) -> Self:
        return cls(LABELS, tokens=made["bleu_tokens"])

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return ChrF(), Bleu(self.tokens)

    def manifest(self) -> dict[str, Any]:
        return super().manifest() | {"bleu_tokens": self.tokens}
