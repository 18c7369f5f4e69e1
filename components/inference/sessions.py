"""A loaded engine: named arrays in, named arrays out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import numpy as np

from components.inference.profiles import GraphTensor

Arrays = Mapping[str, np.ndarray]
"""The inputs or the outputs of a graph by their names, however many there are."""

Infer = Callable[[Arrays], Arrays]
"""Inputs -> outputs: a loaded engine's `run`, or a PyTorch model behind the same names."""


class Session(ABC):
    """A loaded engine. Several threads may ask at once."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[GraphTensor, ...]:
        """What `run` needs, in the graph's order."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[GraphTensor, ...]:
        """What `run` gives, in the graph's order."""

    @abstractmethod
    def run(self, feeds: Arrays) -> dict[str, np.ndarray]:
        """Every output by its name, in the graph's order. Raises EngineError, naming the shapes, where the engine fails
        on them."""


def shapes(feeds: Arrays) -> str:
    """The shapes of some inputs, each once, for a message."""
    found = list(dict.fromkeys(str(tuple(value.shape)) for value in feeds.values()))
    return f"shape {found[0]}" if len(found) == 1 else f"shapes {', '.join(found)}"
