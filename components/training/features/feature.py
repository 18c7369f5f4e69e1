"""The form in which features/NAME.py compares the layers of a student with its teacher's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from components.modeling.objectives.objective import Batch


@dataclass(frozen=True)
class Imitated:
    """Where a student of its teacher's architecture finds its own layers in it: `layers`: the one whose output each of
    its layers is to give, counted from 0; `channels`: those of the teacher that it has, None for all."""

    layers: tuple[int, ...]
    channels: Tensor | None = None


class Features(ABC):
    """Read of both models on the same batch, and compared."""

    @abstractmethod
    def read(self, model: PreTrainedModel, ids: Tensor, beside: dict[str, Any]) -> tuple[Any, Any]:
        """Run a model. Returns its output, and what is compared of it."""

    @abstractmethod
    def loss(self, mine: Any, its: Any, batch: Batch) -> Tensor:
        """How far a student's features are from its teacher's, a token."""
