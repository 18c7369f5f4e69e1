"""Inference engines behind one interface.

An engine is built from an ONNX file into a file it can load, and a loaded one maps named arrays to named arrays.
`onnxruntime` runs on any CPU and is what serves by default; `openvino` runs on CPUs too. `tensorrt` (NVIDIA
data-centre GPUs) and `tensorrt-rtx` (NVIDIA RTX GPUs; builds without one) share one code path. `onnxruntime-cuda` and
`onnxruntime-tensorrt` are ONNX Runtime with NVIDIA's providers. What is built is kept by engine_store, and loaded
through it alone, which compares the engine's fingerprint with this machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from components.inference.nvidia import Host
from components.inference.onnx_runtime import OnnxRuntime
from components.inference.openvino_engine import OpenVino
from components.inference.profiles import Profile
from components.inference.sessions import Session
from components.inference.tensorrt_engine import BuildOptions, TensorRT

__all__ = ["ENGINES", "BuildOptions", "Engine", "OnnxRuntime", "OpenVino", "Profile", "Session", "TensorRT"]


class Engine(Protocol):
    """What builds and loads sessions."""

    @property
    def name(self) -> str:
        """Its name in params.yaml."""

    @property
    def writes(self) -> str | None:
        """The name of the file `build` writes, or None when it loads the ONNX file itself."""

    @property
    def flags(self) -> tuple[str, ...]:
        """What it is told beyond graph and profile, and what it builds depends on."""

    def available(self) -> str | None:
        """Why this engine cannot be built here, or None when it can."""

    def version(self) -> str:
        """The version of the library that builds and runs it."""

    def host(self) -> Host:
        """What of this machine its engines depend on."""

    def build(self, onnx: Path, folder: Path, profile: Profile) -> Path:
        """Build from an ONNX file; what is written goes into `folder`. Returns the file to load. Raises EngineError."""

    def load(self, path: Path) -> Session:
        """Load what `build` returned. Raises EngineError."""


ENGINES: dict[str, Engine] = {
    "onnxruntime": OnnxRuntime(),
    "openvino": OpenVino(),
    "tensorrt-rtx": TensorRT(
        "tensorrt-rtx",
        "tensorrt_rtx_bindings",
        "pip install tensorrt_rtx_cu13_bindings tensorrt_rtx_cu13_libs",
        timed=False,
    ),
    "tensorrt": TensorRT("tensorrt", "tensorrt", "pip install 'lianzi[gpu]', which needs NVIDIA's package index"),
    "onnxruntime-cuda": OnnxRuntime(name="onnxruntime-cuda", provider="CUDAExecutionProvider"),
    "onnxruntime-tensorrt": OnnxRuntime(name="onnxruntime-tensorrt", provider="TensorrtExecutionProvider"),
}
