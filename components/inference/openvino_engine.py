"""OpenVINO on a CPU: reads the ONNX file, float or with Q/DQ nodes, and keeps the compiled model."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from components.errors import EngineError, first_line
from components.inference.nvidia import Host
from components.inference.profiles import GraphTensor, Profile, graph_inputs, sample
from components.inference.sessions import Arrays, Session, shapes

TELEMETRY = "openvino_telemetry"
DTYPES = {"i64": "int64", "i32": "int32", "f32": "float32", "f16": "float16", "boolean": "bool"}
TRIED_WITH = 2
"""Ids below this are in every vocabulary."""


@dataclass(frozen=True)
class OpenVino:
    """OpenVINO with its hints for latency, one thread by default, and float32 where the graph says so.

    Left to itself it computes a float32 graph in bf16 on processors that have it. It does not check ids: one
    outside the vocabulary gives an answer, not an error.
    """

    threads: int = 1
    name: str = "openvino"
    writes: str | None = "model.blob"
    flags: tuple[str, ...] = ()

    def available(self) -> str | None:
        return None if find_spec("openvino") else "openvino is not installed (pip install 'lianzi[openvino]')"

    def version(self) -> str:
        return str(_openvino().get_version())

    def host(self) -> Host:
        """The processor: a compiled model is made of its instructions."""
        core = _openvino().Core()
        able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return Host(f"{core.get_property('CPU', 'FULL_DEVICE_NAME')} ({', '.join(sorted(able))})")

    def build(self, onnx: Path, folder: Path, profile: Profile) -> Path:
        """Compile for any shape and run at the ends of the profile."""
        core = _openvino().Core()
        try:
            graph = core.read_model(str(onnx))
            compiled = core.compile_model(graph, "CPU", self._settings())
            exported = compiled.export_model()
        except RuntimeError as error:
            raise EngineError(f"{onnx}: OpenVINO cannot compile it: {_reason(error)}") from None
        named = graph_inputs(onnx)
        for sizes in profile.corners(named):
            OpenVinoSession(compiled).run(sample(named, sizes, 0, TRIED_WITH))
        path = folder / str(self.writes)
        path.write_bytes(exported.getvalue())
        return path

    def load(self, path: Path) -> Session:
        core = _openvino().Core()
        try:
            return OpenVinoSession(core.import_model(io.BytesIO(path.read_bytes()), "CPU", self._settings()))
        except RuntimeError as error:
            raise EngineError(f"{path}: OpenVINO cannot load it: {_reason(error)}") from None

    def _settings(self) -> dict[str, Any]:
        return {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": self.threads,
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "f32",
        }


def _openvino() -> Any:
    """The library, whose own fallback takes the place of its telemetry: that reports on conversions, without asking."""
    if TELEMETRY not in sys.modules:
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]
    import openvino

    return openvino


@dataclass(frozen=True)
class OpenVinoSession(Session):
    """A compiled model. One thread asks at a time: a request holds its tensors."""

    compiled: Any
    lock: Lock = field(default_factory=Lock)

    @cached_property
    def inputs(self) -> tuple[GraphTensor, ...]:
        """Dynamic axes have no names here: OpenVINO drops them."""
        return _tensors(self.compiled.inputs)

    @cached_property
    def outputs(self) -> tuple[GraphTensor, ...]:
        return _tensors(self.compiled.outputs)

    @cached_property
    def _request(self) -> Any:
        return self.compiled.create_infer_request()

    def run(self, feeds: Arrays) -> dict[str, np.ndarray]:
        with self.lock:
            try:
                answers = self._request.infer(dict(feeds), share_inputs=True)
                return {made.any_name: np.array(answers[made]) for made in self.compiled.outputs}
            except (RuntimeError, TypeError) as error:  # an input too many, or of the wrong type, is a TypeError
                raise EngineError(f"OpenVINO failed on {shapes(feeds)}: {_reason(error)}") from None


def _tensors(ports: Any) -> tuple[GraphTensor, ...]:
    return tuple(
        GraphTensor(
            port.any_name,
            DTYPES[port.element_type.get_type_name()],
            tuple("" if axis.is_dynamic else axis.get_length() for axis in port.partial_shape),
        )
        for port in ports
    )


def _reason(error: Exception) -> str:
    """The last line: those before it name OpenVINO's own sources."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return first_line(lines[-1] if lines else error)
