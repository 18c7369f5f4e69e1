"""Inference engines behind one interface.

An engine is built from an ONNX file into a file it can load, and a loaded one maps token ids to logits.
`onnxruntime` runs on any CPU and is what serves by default. `tensorrt` (NVIDIA data-centre GPUs) and
`tensorrt-rtx` (NVIDIA RTX GPUs; builds without one) share one code path: TensorRT's API under two names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from components.errors import EngineError


@dataclass(frozen=True)
class Profile:
    """The shapes an engine is built for: batches of 1 to `max_batch` rows of 1 to `max_length` tokens."""

    max_batch: int
    max_length: int


class Session(Protocol):
    """A loaded engine."""

    def infer(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        """Logits, float32 (rows, classes), of int64 ids and mask (rows, tokens)."""


class Engine(Protocol):
    """What builds and loads sessions."""

    @property
    def name(self) -> str:
        """Its name in params.yaml."""

    @property
    def writes(self) -> str | None:
        """The name of the file `build` writes, or None when it loads the ONNX file itself."""

    def available(self) -> str | None:
        """Why this engine cannot be built here, or None when it can."""

    def version(self) -> str:
        """The version of the library that builds and runs it."""

    def build(self, onnx: Path, folder: Path, profile: Profile) -> Path:
        """Build from an ONNX file; what is written goes into `folder`. Returns the file to load. Raises EngineError."""

    def load(self, path: Path) -> Session:
        """Load what `build` returned. Raises EngineError."""


@dataclass(frozen=True)
class OnnxRuntime:
    """ONNX Runtime on the CPU.

    One thread by default: sums are then taken in one order, so that numbers repeat on any number of cores.
    """

    threads: int = 1
    name: str = "onnxruntime"
    writes: None = None

    def available(self) -> str | None:
        return None if find_spec("onnxruntime") else "not installed (pip install onnxruntime)"

    def version(self) -> str:
        import onnxruntime

        return str(onnxruntime.__version__)

    def build(self, onnx: Path, folder: Path, profile: Profile) -> Path:
        """Nothing to write: the ONNX file is what it loads. Proves that it does, at both ends of the profile."""
        session = self.load(onnx)
        for shape in ((1, 1), (profile.max_batch, profile.max_length)):
            ids = np.ones(shape, dtype=np.int64)
            session.infer(ids, ids)
        return onnx

    def load(self, path: Path) -> Session:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no base class but Exception
            raise EngineError(f"{path}: ONNX Runtime cannot load it: {_first_line(error)}") from None
        return _OnnxRuntimeSession(session)


@dataclass(frozen=True)
class _OnnxRuntimeSession:
    session: Any

    def infer(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        feeds = {"input_ids": input_ids, "attention_mask": attention_mask}
        try:
            return self.session.run(["logits"], feeds)[0]
        except Exception as error:
            raise EngineError(f"ONNX Runtime failed on shape {input_ids.shape}: {_first_line(error)}") from None


@dataclass(frozen=True)
class TensorRT:
    """One flavour of TensorRT, known by its module. Networks are strongly typed: precision is the ONNX file's."""

    name: str
    module: str
    install: str
    writes: str = "model.engine"

    @cached_property
    def api(self) -> Any:
        return import_module(self.module)

    def available(self) -> str | None:
        if find_spec(self.module) is None:
            return f"{self.module} is not installed ({self.install})"
        try:
            _ = self.api
        except Exception as error:  # a missing CUDA library surfaces as ImportError, OSError or RuntimeError
            return f"{self.module} cannot be imported: {_first_line(error)}"
        return None

    def version(self) -> str:
        return str(self.api.__version__)

    def build(self, onnx: Path, folder: Path, profile: Profile) -> Path:
        logger = _logger(self.api)
        builder = self.api.Builder(logger)
        network = self._parse(builder, logger, onnx)
        config = builder.create_builder_config()
        config.add_optimization_profile(self._optimization_profile(builder, profile))
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise EngineError(f"{self.name} cannot build {onnx.name}: {logger.last}")
        path = folder / self.writes
        path.write_bytes(bytes(plan))
        return path

    def load(self, path: Path) -> Session:
        logger = _logger(self.api)
        try:
            runtime = self.api.Runtime(logger)
        except Exception as error:  # pybind turns a null pointer into TypeError, CUDA's absence into RuntimeError
            raise EngineError(f"{self.name} cannot run here: {_first_line(error)}", NO_GPU) from None
        # Without a usable GPU this answers None and raises nothing.
        engine = runtime.deserialize_cuda_engine(path.read_bytes())
        if engine is None:
            raise EngineError(f"{self.name} cannot run here: {logger.last}", NO_GPU)
        return _TensorRTSession(self.api, engine, engine.create_execution_context())

    def _parse(self, builder: Any, logger: Any, onnx: Path) -> Any:
        flags = 0
        # TensorRT 11 knows no other kind, so the flag is gone there.
        typed = getattr(self.api.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
        if typed is not None:
            flags |= 1 << int(typed)
        network = builder.create_network(flags)
        parser = self.api.OnnxParser(network, logger)
        if not parser.parse(onnx.read_bytes()):
            reasons = "; ".join(parser.get_error(number).desc() for number in range(parser.num_errors))
            raise EngineError(f"{self.name} cannot parse {onnx.name}: {reasons or logger.last}")
        return network

    def _optimization_profile(self, builder: Any, profile: Profile) -> Any:
        shapes = builder.create_optimization_profile()
        usual = (max(1, profile.max_batch // 2), profile.max_length)
        for name in ("input_ids", "attention_mask"):
            shapes.set_shape(name, (1, 1), usual, (profile.max_batch, profile.max_length))
        return shapes


NO_GPU = "an NVIDIA GPU with a driver for this engine's CUDA version is needed to run it"


@dataclass(frozen=True)
class _TensorRTSession:
    """Runs on the GPU, with torch holding the device's memory."""

    api: Any
    engine: Any
    context: Any

    def infer(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        import torch

        given = {"input_ids": input_ids, "attention_mask": attention_mask}
        tensors = {name: torch.from_numpy(value).cuda() for name, value in given.items()}
        for name, tensor in tensors.items():
            if not self.context.set_input_shape(name, tuple(tensor.shape)):
                raise EngineError(f"{name} of shape {tuple(tensor.shape)} lies outside the engine's profile")
        tensors["logits"] = torch.empty(tuple(self.context.get_tensor_shape("logits")), device="cuda")
        for name, tensor in tensors.items():
            self.context.set_tensor_address(name, tensor.data_ptr())
        stream = torch.cuda.current_stream()
        if not self.context.execute_async_v3(stream.cuda_stream):
            raise EngineError("the engine failed while running")
        stream.synchronize()
        return tensors["logits"].cpu().numpy()


def _logger(api: Any) -> Any:
    """A TensorRT logger that keeps the last error for the message of an EngineError, and prints nothing."""

    class Logger(api.ILogger):
        def __init__(self) -> None:
            super().__init__()
            self.last = "no reason given"

        def log(self, severity: Any, message: str) -> None:
            if severity in (api.ILogger.Severity.ERROR, api.ILogger.Severity.INTERNAL_ERROR):
                self.last = _cuda_reason(message)

    return Logger()


def _cuda_reason(message: str) -> str:
    """What CUDA says, without the source lines of the library around it."""
    found = re.search(r"cudaError \d+: ([^()]+)", message)
    return found.group(1) if found else message.splitlines()[0]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


ENGINES: dict[str, Engine] = {
    "onnxruntime": OnnxRuntime(),
    "tensorrt-rtx": TensorRT(
        "tensorrt-rtx", "tensorrt_rtx_bindings", "pip install tensorrt_rtx_cu13_bindings tensorrt_rtx_cu13_libs"
    ),
    "tensorrt": TensorRT("tensorrt", "tensorrt", "pip install 'lianzi[gpu]', which needs NVIDIA's package index"),
}
