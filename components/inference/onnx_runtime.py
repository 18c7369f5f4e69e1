"""ONNX Runtime: on any CPU, and on NVIDIA GPUs through its CUDA and TensorRT execution providers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from components.errors import EngineError, first_line
from components.inference.nvidia import Host, nvidia_host
from components.inference.profiles import GraphTensor, Profile, sample
from components.inference.sessions import Arrays, Session, shapes

CPU = "CPUExecutionProvider"
DTYPES = {"float": "float32", "double": "float64"}
"""ONNX Runtime's names of types where numpy has others."""

SLOWER = ["SkipLayerNormFusion"]
"""Fusions that cost more than they save: an addition and a layer normalization in one took three times as long here."""

TRIED_WITH = 2
"""Ids below this are in every vocabulary."""


@dataclass(frozen=True)
class OnnxRuntime:
    """ONNX Runtime with one execution provider.

    One thread by default: sums are then taken in one order, so that numbers repeat on any number of cores.
    """

    threads: int = 1
    name: str = "onnxruntime"
    provider: str = CPU
    writes: str | None = None
    flags: tuple[str, ...] = ()

    def available(self) -> str | None:
        if find_spec("onnxruntime") is None:
            return "onnxruntime is not installed (pip install onnxruntime)"
        import onnxruntime

        there = onnxruntime.get_available_providers()
        if self.provider not in there:
            return f"this onnxruntime has {', '.join(there)}, no {self.provider} (pip install onnxruntime-gpu)"
        if self.provider != CPU and nvidia_host().device is None:
            return "no NVIDIA GPU here"
        return None

    def version(self) -> str:
        import onnxruntime

        return str(onnxruntime.__version__)

    def host(self) -> Host:
        return Host() if self.provider == CPU else nvidia_host()

    def build(self, onnx: Path, folder: Path, profile: Profile) -> Path:
        """Nothing to write: the ONNX file is what it loads. Proves that it does, at the ends of the profile."""
        session = self.load(onnx)
        for sizes in profile.corners(session.inputs):
            session.run(sample(session.inputs, sizes, 0, TRIED_WITH))
        return onnx

    def load(self, path: Path) -> OnnxRuntimeSession:
        try:
            session = open_session(path, self.threads, self.provider)
        except Exception as error:  # its exceptions share no base class but Exception
            raise EngineError(f"{path}: ONNX Runtime cannot load it: {first_line(error)}") from None
        # A provider that cannot start is left out with no more than a warning, and the CPU takes its place.
        if session.get_providers()[0] != self.provider:
            raise EngineError(
                f"{path}: ONNX Runtime would run it with {session.get_providers()[0]} instead of {self.provider}",
                "see the provider's requirements: CUDA, cuDNN and TensorRT of the versions it was built with",
            )
        session.disable_fallback()
        return OnnxRuntimeSession(session)


def open_session(graph: Path | bytes, threads: int = 1, provider: str = CPU, optimize: bool = True) -> Any:
    """ONNX Runtime's own session of a file or of a serialized graph: the one place where its options are set.

    Raises whatever ONNX Runtime raises, whose exceptions share no base class.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    model = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(model, options, providers=[provider], disabled_optimizers=SLOWER)


@dataclass(frozen=True)
class OnnxRuntimeSession(Session):
    """A graph loaded by ONNX Runtime."""

    session: Any

    @cached_property
    def inputs(self) -> tuple[GraphTensor, ...]:
        return _tensors(self.session.get_inputs())

    @cached_property
    def outputs(self) -> tuple[GraphTensor, ...]:
        return _tensors(self.session.get_outputs())

    def run(self, feeds: Arrays) -> dict[str, np.ndarray]:
        try:
            answers = self.session.run(None, feeds)
        except Exception as error:
            raise EngineError(f"ONNX Runtime failed on {shapes(feeds)}: {first_line(error)}") from None
        return {made.name: answer for made, answer in zip(self.outputs, answers, strict=True)}


def _tensors(values: Any) -> tuple[GraphTensor, ...]:
    # A size of 0 is one like any other; None is an axis without a name.
    return tuple(
        GraphTensor(one.name, _dtype(one.type), tuple("" if axis is None else axis for axis in one.shape))
        for one in values
    )


def _dtype(name: str) -> str:
    """numpy's name of what ONNX Runtime calls tensor(…)."""
    inner = name.removeprefix("tensor(").removesuffix(")")
    return DTYPES.get(inner, inner)
