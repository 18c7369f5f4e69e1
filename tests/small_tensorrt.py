"""A stand-in for TensorRT's Python module, where no GPU can run the real one.

It has one engine: ids (batch, length) and a mask of the same shape -> logits (batch, 2), with two profiles of rows.
Each call that `silent` names answers what the real one does instead of raising: None, False, -1 or a list of names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

MODE = SimpleNamespace(INPUT="input", OUTPUT="output")
NAMES = {"input_ids": "input", "attention_mask": "input", "logits": "output"}
LARGEST = ((1, 8), (4, 8))
"""Of each profile: rows, tokens."""


@dataclass
class Memory:
    """A device whose memory is the host's; an address is a number."""

    stream: int = 7
    held: dict[int, np.ndarray] = field(default_factory=dict)
    frees: int = 0

    def upload(self, array: np.ndarray) -> int:
        self.held[len(self.held) + 1] = array
        return len(self.held)

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype) -> int:
        return self.upload(np.zeros(shape, dtype))

    def download(self, address: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        return self.held[address].copy()

    def free(self) -> None:
        self.held.clear()
        self.frees += 1


class Context:
    def __init__(self, memory: Memory, silent: str) -> None:
        self.memory, self.silent = memory, silent
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}
        self.profile = -1

    def set_optimization_profile_async(self, number: int, stream: int) -> bool:
        self.profile = number
        return self.silent != "set_optimization_profile_async"

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shapes[name] = shape
        return self.silent != "set_input_shape"

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return self.silent != "set_tensor_address"

    def infer_shapes(self) -> list[str]:
        return ["attention_mask"] if self.silent == "infer_shapes" else []

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, 2) if self.silent == "get_tensor_shape" else (self.shapes["input_ids"][0], 2)

    def execute_async_v3(self, stream: int) -> bool:
        """The sum of a row's ids under its mask, and that plus one."""
        ids, mask = (self.memory.held[self.addresses[name]] for name in ("input_ids", "attention_mask"))
        total = (ids * mask).sum(1, keepdims=True)
        self.memory.held[self.addresses["logits"]][:] = np.concatenate([total, total + 1], axis=1)
        return self.silent != "execute_async_v3"


@dataclass
class Engine:
    memory: Memory
    silent: str = ""
    contexts: list[Context] = field(default_factory=list)
    num_optimization_profiles: int = len(LARGEST)
    num_io_tensors: int = len(NAMES)

    def get_tensor_name(self, number: int) -> str:
        return list(NAMES)[number]

    def get_tensor_mode(self, name: str) -> str:
        return NAMES[name]

    def get_tensor_dtype(self, name: str) -> str:
        return "bfloat16" if self.silent == "nptype" else NAMES[name]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, -1)

    def get_tensor_profile_shape(self, name: str, number: int) -> list[tuple[int, ...]]:
        return [(1, 1), LARGEST[number], LARGEST[number]]

    def create_execution_context(self) -> Context | None:
        if self.silent == "create_execution_context":
            return None
        self.contexts.append(Context(self.memory, self.silent))
        return self.contexts[-1]


def nptype(kind: str) -> Callable[..., Any]:
    if kind == "bfloat16":
        raise TypeError("numpy has no such type")
    return {"input": np.int64, "output": np.float32}[kind]


API = SimpleNamespace(TensorIOMode=MODE, nptype=nptype)
