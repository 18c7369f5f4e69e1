"""Texts with their summary."""

from __future__ import annotations

from dataclasses import dataclass

from components.tasks.metrics import Metric
from components.tasks.sequence_to_sequence import ChrF, RougeL, SequenceToSequence


@dataclass(frozen=True)
class Summarization(SequenceToSequence):
    """Long texts are cut at the task's max_length; a summary may not be longer."""

    kind = "summarization"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return RougeL(), ChrF()
