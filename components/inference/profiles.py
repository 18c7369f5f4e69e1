"""The shapes an engine is built for, derived from what the dynamic axes of a graph are called.

`batch`, `length` (tokens given now), `past` (tokens a KV cache holds), `past_and_length` (both: a decoder's mask),
`source` (tokens an encoder has read). TensorRT wants a range for each input, and picks its kernels for one shape in
it, so there are several: batch 1 and the largest batch, each with short and with full lengths.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from components.errors import EngineError

Sizes = Mapping[str, int]
"""Axis -> its size."""

ROLES = (
    ("past_and_length", re.compile(r"total|past.*(\+|and|plus).*|.*\+.*past")),
    ("batch", re.compile("batch")),
    ("past", re.compile("past|cache")),
    ("source", re.compile("source|encoder")),
    ("length", re.compile("length|seq|token")),
)
"""What a dynamic axis is, by its name; the first that fits."""

SHORT = 4
"""The short lengths are those up to a fourth of the longest: below it, a kernel for the longest wastes most."""


@dataclass(frozen=True)
class GraphTensor:
    """An input or an output of a graph: its name, numpy's name of its type, and of each axis the size, or the
    name where it is dynamic: "" where the engine has dropped it."""

    name: str
    dtype: str
    axes: tuple[int | str, ...]

    def shape(self, sizes: Sizes) -> tuple[int, ...]:
        """Its shape where the dynamic axes have these sizes."""
        return tuple(axis if isinstance(axis, int) else sizes[role(self, axis)] for axis in self.axes)


class Range(NamedTuple):
    """Of a shape, or of the size of one axis: TensorRT's min, opt and max."""

    smallest: int
    usual: int
    largest: int


class ShapeRange(NamedTuple):
    """The shapes of one input within one bucket."""

    smallest: tuple[int, ...]
    usual: tuple[int, ...]
    largest: tuple[int, ...]


@dataclass(frozen=True)
class Profile:
    """Batches of 1 to `max_batch` rows of 1 to `max_length` tokens, after up to `max_past` in a KV cache (0: as many
    as `max_length`)."""

    max_batch: int
    max_length: int
    max_past: int = 0

    def __str__(self) -> str:
        past = f", past {self.max_past}" if self.max_past else ""
        return f"{self.max_batch} rows, {self.max_length} tokens{past}"

    def buckets(self, inputs: Sequence[GraphTensor]) -> list[dict[str, ShapeRange]]:
        """The optimization profiles, small before large: input -> its shapes. Raises EngineError."""
        return [
            {
                given.name: ShapeRange(
                    *(given.shape({axis: sizes[end] for axis, sizes in ranges.items()}) for end in range(3))
                )
                for given in inputs
            }
            for ranges in self._ranges(_roles(inputs))
        ]

    def corners(self, inputs: Sequence[GraphTensor]) -> list[dict[str, int]]:
        """Sizes to try an engine with: the smallest, and the largest that are cheap to run."""
        past = {"past", "past_and_length"} & _roles(inputs)
        smallest = {"batch": 1, "length": 1, "past": 0, "past_and_length": 1, "source": 1}
        if not past:
            return [
                smallest,
                smallest | {"batch": self.max_batch, "length": self.max_length, "source": self.max_length},
            ]
        prompt = smallest | {"length": self.max_length, "past_and_length": self.max_length, "source": self.max_length}
        held = min(8, self._past())
        return [smallest, prompt, smallest | {"batch": self.max_batch, "past": held, "past_and_length": held + 1}]

    def _past(self) -> int:
        return self.max_past or self.max_length

    def _ranges(self, roles: set[str]) -> list[dict[str, Range]]:
        decodes = "past" in roles
        # A decoder with its cache takes one token at a time, and its prompt at once; others short and long texts.
        short = 1 if decodes else max(1, self.max_length // SHORT)
        found = []
        for batch in sorted({1, self.max_batch}):
            for length in sorted({short, self.max_length}):
                source = self.max_length if decodes else length
                usual = self._past() // 2
                found.append(
                    {
                        "batch": Range(1, batch, batch),
                        "length": Range(1, length, length),
                        "past": Range(0, usual, self._past()),
                        "past_and_length": Range(1, usual + length, self._past() + length),
                        "source": Range(1, source, source),
                    }
                )
        return found


def role(given: GraphTensor, axis: str) -> str:
    """What a dynamic axis of an input is. Raises EngineError for a name that tells nothing."""
    for name, pattern in ROLES:
        if pattern.search(axis):
            return name
    raise EngineError(
        f"the graph's input {given.name} has a dynamic axis '{axis}' that no profile knows",
        f"name it when exporting: {', '.join(name for name, _ in ROLES)}",
    )


def graph_inputs(onnx: Path) -> tuple[GraphTensor, ...]:
    """The inputs of an ONNX file."""
    from onnx import helper, load

    graph = load(str(onnx), load_external_data=False).graph
    weights = {weight.name for weight in graph.initializer}
    found = []
    for given in graph.input:
        if given.name not in weights:
            tensor = given.type.tensor_type
            axes = tuple(axis.dim_param or int(axis.dim_value) for axis in tensor.shape.dim)
            found.append(GraphTensor(given.name, str(helper.tensor_dtype_to_np_dtype(tensor.elem_type)), axes))
    return tuple(found)


def sample(inputs: Sequence[GraphTensor], sizes: Sizes, seed: int, vocabulary: int) -> dict[str, np.ndarray]:
    """Inputs of these sizes: random tokens below `vocabulary`, masks of ones, positions that go on after the past."""
    generator = np.random.default_rng(seed)
    return {given.name: _values(given, sizes, generator, vocabulary) for given in inputs}


def _values(given: GraphTensor, sizes: Sizes, generator: np.random.Generator, vocabulary: int) -> np.ndarray:
    shape = given.shape(sizes)
    if "mask" in given.name:
        return np.ones(shape, dtype=given.dtype)
    if "position" in given.name:
        start = sizes.get("past", 0)
        return np.broadcast_to(np.arange(start, start + shape[-1], dtype=given.dtype), shape).copy()
    if given.dtype.startswith("int"):
        kinds = given.name == "token_type_ids"
        return generator.integers(0, 1 if kinds else vocabulary, size=shape, dtype=given.dtype)
    return generator.normal(scale=0.5, size=shape).astype(given.dtype)


def _roles(inputs: Sequence[GraphTensor]) -> set[str]:
    return {role(given, axis) for given in inputs for axis in given.axes if isinstance(axis, str)}
