"""The exported graphs at run time: ONNX Runtime on a CPU behind arrays in and arrays out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.errors import EngineError, first_line


@dataclass(frozen=True)
class Graph:
    """A loaded graph. One thread takes sums in one order, so that numbers repeat on any number of cores."""

    session: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @classmethod
    def load(cls, path: Path, threads: int) -> Graph:
        """From an ONNX file. Raises EngineError."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no base class but Exception
            raise EngineError(f"{path}: ONNX Runtime cannot load it: {first_line(error)}") from None
        inputs = tuple(value.name for value in session.get_inputs())
        return cls(session, inputs, tuple(value.name for value in session.get_outputs()))

    def run(self, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """All outputs. What the graph does not ask for is left out. Raises EngineError."""
        try:
            return list(self.session.run(None, {name: feeds[name] for name in self.inputs}))
        except Exception as error:
            raise EngineError(f"ONNX Runtime failed: {first_line(error)}") from None

    def empty_cache(self, rows: int) -> list[np.ndarray]:
        """past.N.key and past.N.value before the first token."""
        shapes = {value.name: value.shape for value in self.session.get_inputs()}
        return [np.zeros((rows, shapes[name][1], 0, shapes[name][3]), dtype=np.float32) for name in self.past]

    @property
    def past(self) -> list[str]:
        return [name for name in self.inputs if name.startswith("past.")]

    @property
    def cross(self) -> list[str]:
        return [name for name in self.inputs if name.startswith("cross.")]
