"""TensorRT 11 and TensorRT-RTX: one API under two names.

Networks are strongly typed: precision is the ONNX file's, so what is to run in fp16, bf16, int8 or fp8 is converted
first (see model_optimizer). Nearly every call answers None, False or a negative number where others raise: each is
asked for here, and told with the last error of the logger.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from components.errors import EngineError, first_line
from components.inference.device_memory import NO_GPU, open_device
from components.inference.nvidia import Host, nvidia_host
from components.inference.profiles import GraphTensor, Profile
from components.inference.sessions import Session
from components.inference.tensorrt_session import TensorRTSession
from components.inference.timing_cache import TimingCache

DTYPES = {"INT64": "int64", "INT32": "int32", "FLOAT": "float32", "HALF": "float16", "BOOL": "bool"}


@dataclass(frozen=True)
class BuildOptions:
    """`version_compatible`: loads in later versions of TensorRT too. `hardware_compatible`: on every GPU from Ampere
    on. `refit`: its weights can be exchanged. Each costs speed."""

    version_compatible: bool = False
    hardware_compatible: bool = False
    refit: bool = False


@dataclass(frozen=True)
class TensorRT:
    """One flavour of TensorRT, known by its module; `timed` says whether it measures kernels when it builds."""

    name: str
    module: str
    install: str
    timed: bool = True
    options: BuildOptions = BuildOptions()
    writes: str | None = "model.engine"

    @cached_property
    def api(self) -> Any:
        return import_module(self.module)

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(name for name, wanted in vars(self.options).items() if wanted)

    def available(self) -> str | None:
        if find_spec(self.module) is None:
            return f"{self.module} is not installed ({self.install})"
        try:
            _ = self.api
        except Exception as error:  # a missing CUDA library surfaces as ImportError, OSError or RuntimeError
            return f"{self.module} cannot be imported: {first_line(error)}"
        return None

    def version(self) -> str:
        return str(self.api.__version__)

    def host(self) -> Host:
        return nvidia_host()

    def build(self, onnx: Path, folder: Path, profile: Profile) -> Path:
        logger = _logger(self.api)
        with self._asking(logger, "cannot start"):
            builder = self.api.Builder(logger)
        # TensorRT 11 makes no other kind; 10 has to be told.
        typed = 1 << int(getattr(self.api.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", 0))
        network = self._there(builder.create_network(typed), logger, "cannot make a network")
        parser = self._parse(network, logger, onnx)
        config = self._there(builder.create_builder_config(), logger, "cannot make a configuration")
        self._set_options(config)
        self._add_profiles(builder, config, logger, network_inputs(network), profile)
        timings = TimingCache.of(self.host(), self.version(), self.flags)
        if self.timed:
            timings.attach(config)
        plan = self._there(builder.build_serialized_network(network, config), logger, f"cannot build {onnx.name}")
        del parser  # it owns weights that the network reads until here
        if self.timed:
            timings.keep(config)
        path = folder / str(self.writes)
        path.write_bytes(bytes(plan))
        return path

    def load(self, path: Path) -> Session:
        logger = _logger(self.api)
        with self._asking(logger, "cannot run here", NO_GPU):
            runtime = self._there(self.api.Runtime(logger), logger, "cannot run here", NO_GPU)
            if self.options.version_compatible:
                runtime.engine_host_code_allowed = True  # such a plan brings the runtime that it was built with
            engine = runtime.deserialize_cuda_engine(path.read_bytes())
        self._there(engine, logger, "cannot run here", NO_GPU)
        return TensorRTSession(self.name, self.api, runtime, engine, open_device(), logger)

    def _parse(self, network: Any, logger: Any, onnx: Path) -> Any:
        with self._asking(logger, f"cannot parse {onnx.name}"):
            parser = self._there(self.api.OnnxParser(network, logger), logger, "cannot parse anything")
        # From the file, so that weights beside it are found.
        if not parser.parse_from_file(str(onnx)):
            reasons = "; ".join(_parser_reason(parser.get_error(number)) for number in range(parser.num_errors))
            raise EngineError(f"{self.name} cannot parse {onnx.name}: {reasons or logger.last}")
        return parser

    def _set_options(self, config: Any) -> None:
        flags = self.api.BuilderFlag
        for flag in ("version_compatible", "refit"):
            if getattr(self.options, flag):
                config.set_flag(getattr(flags, flag.upper()))
        if self.options.hardware_compatible:
            config.hardware_compatibility_level = self.api.HardwareCompatibilityLevel.AMPERE_PLUS
            if config.hardware_compatibility_level != self.api.HardwareCompatibilityLevel.AMPERE_PLUS:
                raise EngineError(f"{self.name} has no hardware-compatible engines", "leave --hardware-compatible out")

    def _add_profiles(
        self, builder: Any, config: Any, logger: Any, inputs: tuple[GraphTensor, ...], profile: Profile
    ) -> None:
        for number, bucket in enumerate(profile.buckets(inputs)):
            shapes = self._there(builder.create_optimization_profile(), logger, "cannot make a profile")
            with self._asking(logger, f"refuses profile {number} ({profile})"):
                for name, (smallest, usual, largest) in bucket.items():
                    shapes.set_shape(name, smallest, usual, largest)
            if config.add_optimization_profile(shapes) < 0:
                raise EngineError(f"{self.name} refuses profile {number} ({profile}): {logger.last}")

    def _there(self, answer: Any, logger: Any, what: str, hint: str = "") -> Any:
        """What a call answered, unless it is None."""
        if answer is None:
            raise EngineError(f"{self.name} {what}: {logger.last}", hint)
        return answer

    @contextmanager
    def _asking(self, logger: Any, what: str, hint: str = "") -> Iterator[None]:
        """Its constructors do raise: pybind makes a TypeError of a null pointer, and CUDA's absence a RuntimeError."""
        try:
            yield
        except (TypeError, RuntimeError, ValueError) as error:
            reason = first_line(error) if logger.last is None else logger.last
            raise EngineError(f"{self.name} {what}: {reason}", hint) from None


def network_inputs(network: Any) -> tuple[GraphTensor, ...]:
    """The inputs of a parsed network, with the names that the ONNX file gives their axes. Raises EngineError."""
    found = []
    for number in range(network.num_inputs):
        tensor = network.get_input(number)
        axes = tuple(
            tensor.get_dimension_name(axis) or "" if size < 0 else int(size) for axis, size in enumerate(tensor.shape)
        )
        if tensor.dtype.name not in DTYPES:
            raise EngineError(
                f"the graph's input {tensor.name} is {tensor.dtype.name}, which numpy has not",
                "keep inputs and outputs in float32 when converting",
            )
        found.append(GraphTensor(tensor.name, DTYPES[tensor.dtype.name], axes))
    return tuple(found)


def _parser_reason(error: Any) -> str:
    """What the parser says, with the layer: its ONNX name and operator."""
    node, operator = error.node_name(), error.node_operator()
    layer = f" (layer {node or 'without a name'}, {operator})" if operator else ""
    return f"{first_line(error.desc())}{layer}"


def _logger(api: Any) -> Any:
    """A TensorRT logger that keeps the last error for the message of an EngineError, and prints nothing."""

    class Logger(api.ILogger):
        def __init__(self) -> None:
            super().__init__()
            self.last: str | None = None

        def log(self, severity: Any, message: str) -> None:
            if severity in (api.ILogger.Severity.ERROR, api.ILogger.Severity.INTERNAL_ERROR):
                self.last = _cuda_reason(message)

    return Logger()


def _cuda_reason(message: str) -> str:
    """What CUDA says, without the source lines of the library around it."""
    found = re.search(r"cudaError \d+: ([^()]+)", message)
    return found.group(1) if found else first_line(message)
