"""Tensors in the format of the Open Inference Protocol, as JSON or as bytes after it.

https://github.com/kserve/open-inference-protocol and Triton's binary tensor data extension: little-endian, row by row;
an element of type BYTES is its length in four bytes and then its content.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.serving.request_error import RequestError

NUMBERS: dict[str, np.dtype[Any]] = {"INT64": np.dtype("<i8"), "FP32": np.dtype("<f4")}
DATATYPES = ("BYTES", *NUMBERS)

Values = list[str] | np.ndarray
"""BYTES: the strings in row-major order. Others: an array of the tensor's shape."""


@dataclass(frozen=True)
class Tensor:
    """A named tensor with its values."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Values


def from_json(name: str, datatype: str, shape: tuple[int, ...], data: Any) -> Tensor:
    """Read a tensor from JSON; `data` is flat or nested as `shape` says. Raises RequestError."""
    flat = _flat(name, shape, data)
    if datatype == "BYTES":
        if not all(type(value) is str for value in flat):
            raise RequestError(400, f"input '{name}': an element of BYTES data in JSON is a string")
        return Tensor(name, datatype, shape, flat)
    if datatype == "FP32":
        raise RequestError(400, f"input '{name}': FP32 is not supported as input")
    if not all(type(value) is int for value in flat):
        raise RequestError(400, f"input '{name}': an element of {datatype} data is a whole number")
    try:
        return Tensor(name, datatype, shape, np.array(flat, dtype=np.int64).reshape(shape))
    except OverflowError:
        raise RequestError(400, f"input '{name}': a number does not fit into {datatype}") from None


def from_binary(name: str, datatype: str, shape: tuple[int, ...], data: bytes) -> Tensor:
    """Read a tensor from bytes. Raises RequestError when their number does not fit `shape`."""
    size = math.prod(shape)
    if datatype == "BYTES":
        texts = _strings(name, data)
        if len(texts) != size:
            raise RequestError(400, f"input '{name}': {len(texts)} strings in the binary data, shape says {size}")
        return Tensor(name, datatype, shape, texts)
    dtype = NUMBERS[datatype]
    if len(data) != size * dtype.itemsize:
        raise RequestError(400, f"input '{name}': {len(data)} bytes, shape needs {size * dtype.itemsize}")
    return Tensor(name, datatype, shape, np.frombuffer(data, dtype=dtype).reshape(shape))


def to_binary(tensor: Tensor) -> bytes:
    """The tensor's values as bytes."""
    if isinstance(tensor.values, list):
        encoded = [value.encode() for value in tensor.values]
        return b"".join(struct.pack("<I", len(value)) + value for value in encoded)
    return tensor.values.astype(NUMBERS[tensor.datatype], copy=False).tobytes()


def to_flat(tensor: Tensor) -> Values:
    """The tensor's values for JSON, row by row."""
    return tensor.values if isinstance(tensor.values, list) else np.ascontiguousarray(tensor.values).ravel()


def _flat(name: str, shape: Sequence[int], data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise RequestError(400, f"input '{name}': data is a list")
    if len(shape) > 1 and any(isinstance(part, list) for part in data):
        return _unnested(name, shape, data)
    if len(data) != math.prod(shape):
        raise RequestError(400, f"input '{name}': {len(data)} elements, shape {list(shape)} needs {math.prod(shape)}")
    return data


def _unnested(name: str, shape: Sequence[int], data: Any) -> list[Any]:
    if not isinstance(data, list) or len(data) != shape[0]:
        raise RequestError(400, f"input '{name}': the nesting of data does not match shape")
    if len(shape) == 1:
        return data
    return [value for part in data for value in _unnested(name, shape[1:], part)]


def _strings(name: str, data: bytes) -> list[str]:
    texts, place = [], 0
    while place < len(data):
        if place + 4 > len(data):
            raise RequestError(400, f"input '{name}': the binary data ends inside a length")
        (length,) = struct.unpack_from("<I", data, place)
        place += 4
        if place + length > len(data):
            raise RequestError(400, f"input '{name}': the binary data ends inside a string")
        try:
            texts.append(data[place : place + length].decode())
        except UnicodeDecodeError:
            raise RequestError(400, f"input '{name}': string {len(texts)} is not valid UTF-8") from None
        place += length
    return texts
