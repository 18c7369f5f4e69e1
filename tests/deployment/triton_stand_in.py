"""A stand-in for Triton, which cannot run here: reads a repository by Triton's own schema and follows its ensemble.

Real: the schema (triton_schema/model_config.binpb, out of tritonclient 2.73.0, BSD-3-Clause), the repository's files,
its model.py files, its graph. Mocked: `triton_python_backend_utils`, and the few rules of Triton's scheduler about
batch dimensions and maps (core, src/ensemble_scheduler).
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, text_format

SCHEMA = Path(__file__).parent / "triton_schema" / "model_config.binpb"
DTYPES = {"TYPE_STRING": np.object_, "TYPE_INT64": np.int64, "TYPE_FP32": np.float32}


def read_config(path: Path) -> Any:
    """A config.pbtxt as Triton reads it: raises text_format.ParseError for an unknown field."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(descriptor_pb2.FileDescriptorProto.FromString(SCHEMA.read_bytes()))
    config = message_factory.GetMessageClass(pool.FindMessageTypeByName("inference.ModelConfig"))()
    text_format.Parse(path.read_text(encoding="utf-8"), config)
    return config


@dataclass(frozen=True)
class Tensor:
    name: str
    values: np.ndarray

    def as_numpy(self) -> np.ndarray:
        return self.values


@dataclass(frozen=True)
class Answered:
    output_tensors: list[Tensor]
    error: Any = None


@dataclass
class Repository:
    """Models by name, loaded when they are asked."""

    folder: Path
    loaded: dict[str, Any] = field(default_factory=dict)

    def infer(self, name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One request; raises AssertionError for tensors that the configuration does not allow."""
        config = read_config(self.folder / name / "config.pbtxt")
        assert config.name == name
        _check(config, config.input, inputs)
        if config.platform == "ensemble":
            answer = self._ensemble(config, inputs)
        elif config.backend == "python":
            answer = self._python(config, inputs)
        else:
            answer = self._onnx(config, inputs)
        _check(config, config.output, answer)
        return answer

    def _ensemble(self, config: Any, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        for step in config.ensemble_scheduling.step:
            found = self.infer(step.model_name, {name: tensors[own] for name, own in step.input_map.items()})
            tensors = tensors | {own: found[name] for name, own in step.output_map.items()}
        return {output.name: tensors[output.name] for output in config.output}

    def _python(self, config: Any, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if config.name not in self.loaded:
            self.loaded[config.name] = load_python_model(self.folder / config.name, config)
        answered = self.loaded[config.name].execute([inputs])[0]
        if answered.error:
            raise ValueError(answered.error)
        return {tensor.name: tensor.values for tensor in answered.output_tensors}

    def _onnx(self, config: Any, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        assert len(next(iter(inputs.values()))) <= config.max_batch_size
        session = onnxruntime.InferenceSession(str(self.folder / config.name / "1" / "model.onnx"))
        names = [output.name for output in config.output]
        return dict(zip(names, session.run(names, inputs), strict=True))


def load_python_model(folder: Path, config: Any) -> Any:
    """An instance of the Python backend's model, initialized as Triton does it."""
    backend: Any = ModuleType("triton_python_backend_utils")
    backend.get_input_tensor_by_name = lambda request, name: Tensor(name, request[name])
    backend.Tensor, backend.InferenceResponse, backend.TritonError = Tensor, Answered, str
    sys.modules["triton_python_backend_utils"] = backend
    try:
        spec = spec_from_file_location(f"{folder.name}_model", folder / "1" / "model.py")
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        del sys.modules["triton_python_backend_utils"]
    model = module.TritonPythonModel()
    told = json.dumps(json_format.MessageToDict(config, preserving_proto_field_name=True))
    model.initialize({"model_config": told, "model_repository": str(folder), "model_version": "1"})
    return model


def _check(config: Any, declared: Any, tensors: dict[str, np.ndarray]) -> None:
    assert {one.name for one in declared} == set(tensors)
    for one in declared:
        kind = type(one).DESCRIPTOR.fields_by_name["data_type"].enum_type.values_by_number[one.data_type].name
        shape = tensors[one.name].shape[1:] if config.max_batch_size else tensors[one.name].shape
        assert tensors[one.name].dtype == DTYPES[kind], one.name
        assert len(shape) == len(one.dims), one.name
        assert all(wanted in (-1, there) for wanted, there in zip(one.dims, shape, strict=True)), one.name
