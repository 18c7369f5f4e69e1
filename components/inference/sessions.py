"""A loaded engine: named arrays in, named arrays out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np

from components.inference.profiles import GraphInput

Tensors = Mapping[str, np.ndarray]


class Session(ABC):
    """A loaded engine. Several threads may ask at once."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[GraphInput, ...]:
        """What `run` needs, in the graph's order."""

    @abstractmethod
    def run(self, feeds: Tensors) -> dict[str, np.ndarray]:
        """Every output by its name. Raises EngineError, naming the shapes, where the engine fails on them."""

    def infer(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        """A classifier's logits, float32 (rows, classes), of int64 ids and mask (rows, tokens)."""
        return self.run({"input_ids": input_ids, "attention_mask": attention_mask})["logits"]


def shapes(feeds: Tensors) -> str:
    """The shapes of some inputs, each once, for a message."""
    found = list(dict.fromkeys(str(tuple(value.shape)) for value in feeds.values()))
    return f"shape {found[0]}" if len(found) == 1 else f"shapes {', '.join(found)}"
