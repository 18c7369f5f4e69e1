"""The graphs of a language model at run time, by whichever engine runs them: what their tensors are for, by name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from components.inference.onnx_runtime import OnnxRuntime
from components.inference.sessions import Arrays, Session

LOGITS = "logits"


@dataclass(frozen=True)
class Graph:
    """A loaded graph: a decoder that reads and gives a KV cache, or an encoder."""

    session: Session

    @classmethod
    def load(cls, path: Path, threads: int) -> Graph:
        """From an ONNX file, on the CPU. Raises EngineError."""
        return cls(OnnxRuntime(threads).load(path))

    def run(self, feeds: Arrays) -> dict[str, np.ndarray]:
        """Every output by its name, in the graph's order. Inputs that the graph does not take are left out. Raises
        EngineError."""
        return self.session.run({name: feeds[name] for name in self.inputs})

    def empty_cache(self, rows: int) -> dict[str, np.ndarray]:
        """past.N.key and past.N.value before the first token, float32 (rows, heads, 0, head_dim)."""
        # By place: not every engine keeps the names of axes.
        axes = {given.name: given.axes for given in self.session.inputs}
        return {
            name: np.zeros((rows, int(axes[name][1]), 0, int(axes[name][3])), dtype=np.float32) for name in self.past
        }

    @cached_property
    def inputs(self) -> list[str]:
        return [given.name for given in self.session.inputs]

    @cached_property
    def outputs(self) -> list[str]:
        return [made.name for made in self.session.outputs]

    @cached_property
    def past(self) -> list[str]:
        """The cache that the graph reads, a key and a value a layer."""
        return [name for name in self.inputs if name.startswith("past.")]

    @cached_property
    def present(self) -> list[str]:
        """The cache that the graph gives, in the order of `past`."""
        return [name for name in self.outputs if name != LOGITS]

    @cached_property
    def cross(self) -> list[str]:
        """What the decoder of an encoder-decoder reads of the source: the outputs of its encoder."""
        return [name for name in self.inputs if name.startswith("cross.")]
