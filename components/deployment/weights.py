"""The weights of an ONNX graph under PyTorch's names, whatever form a rung of the ladder keeps them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

HALF_STEP = 0.5 * (1 + 1e-4)
"""Rounding to the nearest value of a grid moves a weight by half a step at most, the rest is float32's last bits; at
the ends of the grid by one, since the zero point is rounded too."""

LOOKUP_BLOCK = 128
"""GatherBlockQuantized's block size where the node names none."""


@dataclass(frozen=True)
class Stored:
    """A weight as the graph computes with it, and how far rounding to its stored form may have moved each value."""

    value: np.ndarray
    rounding: np.ndarray | float


@dataclass(frozen=True)
class Difference:
    """The first weight that is not what it should be: its PyTorch name and what is wrong with it."""

    name: str
    reason: str

    @property
    def layer(self) -> str:
        return self.name.rpartition(".")[0]


def name_weights(graph: GraphProto, parameters: Mapping[str, np.ndarray]) -> None:
    """Give every weight the name of the PyTorch parameter it holds, in place, and keep each once.

    The exporter folds the transposition that most linear layers begin with into the weight and numbers the result,
    and it writes a matrix that the embedding and the head share twice, once for each use.
    """
    for weight in list(graph.initializer):
        bare = next((weight.name[start:] for start in _starts(weight.name) if weight.name[start:] in parameters), "")
        if bare:
            _rename(graph, weight.name, bare)
    by_content = {_content(value.T): name for name, value in parameters.items() if value.ndim == 2}
    by_content |= {_content(value): name for name, value in parameters.items() if value.ndim == 2}
    for weight in list(graph.initializer):
        if weight.name not in parameters and weight.data_type == TensorProto.FLOAT and len(weight.dims) == 2:
            name = by_content.get(_content(numpy_helper.to_array(weight)))
            if name is not None:
                _adopt(graph, weight, name, parameters[name])


def _starts(name: str) -> Iterator[int]:
    """Where a name begins once the modules that only wrap the model are taken off."""
    yield 0
    yield from (place + 1 for place, sign in enumerate(name) if sign == ".")


def _content(value: np.ndarray) -> tuple[tuple[int, ...], bytes]:
    return value.shape, np.ascontiguousarray(value).tobytes()


def _adopt(graph: GraphProto, weight: TensorProto, name: str, parameter: np.ndarray) -> None:
    """Name a numbered weight; where its parameter is there already, read that one, turned where it has to be."""
    twin = next((one for one in graph.initializer if one.name == name), None)
    if twin is None:
        _rename(graph, weight.name, name)
        return
    source = name
    if tuple(twin.dims) != tuple(weight.dims) or _content(numpy_helper.to_array(twin))[1] != _bytes(weight):
        source = f"{weight.name}_turned"
        turned = helper.make_node("Transpose", [name], [source], perm=[1, 0])
        graph.node.insert(0, turned)
    for node in graph.node:
        node.input[:] = [source if one == weight.name else one for one in node.input]
    graph.initializer.remove(weight)


def _bytes(weight: TensorProto) -> bytes:
    return np.ascontiguousarray(numpy_helper.to_array(weight)).tobytes()


def _rename(graph: GraphProto, old: str, new: str) -> None:
    for weight in graph.initializer:
        if weight.name == old:
            weight.name = new
    for node in graph.node:
        node.input[:] = [new if one == old else one for one in node.input]


def stored_weights(graph: GraphProto) -> dict[str, Stored]:
    """Every weight of a graph by its PyTorch name: float32, float16, or integers with a scale and a zero point.

    Knows the forms of ONNX Runtime's quantizers: NAME_quantized, NAME_scale, NAME_zero_point, read by
    DequantizeLinear, MatMulInteger or a Gather; four-bit blocks read by MatMulNBits; and NAME_codes with NAME_scales,
    four-bit rows read by GatherBlockQuantized.
    """
    tensors = {one.name: one for one in graph.initializer}
    readers = {name: node for node in graph.node for name in node.input if name in tensors}
    found = {}
    for name, tensor in tensors.items():
        base = name.removesuffix("_quantized")
        if base != name and "." in base:
            scale = next(one for one in (f"{base}_scale", f"{name}_scale") if one in tensors)
            zero = tensors.get(scale.removesuffix("_scale") + "_zero_point")
            found[base] = _dequantized(tensor, tensors[scale], zero, readers.get(name))
        elif "." in name and tensor.data_type in (TensorProto.FLOAT, TensorProto.FLOAT16):
            found[name] = _floats(tensor)
    for node in graph.node:
        if node.op_type == "MatMulNBits" and node.input[1] in tensors:
            found[node.input[1].rpartition("_Q")[0]] = _blocks(node, tensors)
        if node.op_type == "GatherBlockQuantized" and node.input[0] in tensors:
            found[node.input[0].removesuffix("_codes")] = _rows(node, tensors)
    return found


def _floats(tensor: TensorProto) -> Stored:
    value = numpy_helper.to_array(tensor)
    if value.dtype == np.float32:
        return Stored(value, 0.0)
    wide = value.astype(np.float32)
    return Stored(wide, np.abs(wide) * 2.0**-10 + 6e-8)


def _dequantized(tensor: TensorProto, scale: TensorProto, zero: TensorProto | None, reader: NodeProto | None) -> Stored:
    """Per tensor, or per channel of the axis that the node which reads the weight says."""
    whole = numpy_helper.to_array(tensor).astype(np.float32)
    step = numpy_helper.to_array(scale).astype(np.float32)
    offset = np.float32(0) if zero is None else numpy_helper.to_array(zero).astype(np.float32)
    if step.size > 1 and whole.ndim > 1:
        axis = whole.ndim - 1
        if reader is not None and reader.op_type == "DequantizeLinear":
            axis = next((one.i for one in reader.attribute if one.name == "axis"), 1)
        shape = [-1 if place == axis % whole.ndim else 1 for place in range(whole.ndim)]
        step, offset = step.reshape(shape), np.broadcast_to(offset.ravel(), step.size).reshape(shape)
    return Stored((whole - offset) * step, _rounding(whole, step))


def _blocks(node: NodeProto, tensors: Mapping[str, TensorProto]) -> Stored:
    """A (K, N) weight from blocks of four-bit values along K, low half of a byte first (ONNX Runtime, MatMulNBits)."""
    size = _numbers(node)
    columns, blocks = size["N"], -(-size["K"] // size["block_size"])
    packed = numpy_helper.to_array(tensors[node.input[1]]).reshape(columns, blocks, -1)
    whole = _halves(packed).astype(np.float32)
    step = numpy_helper.to_array(tensors[node.input[2]]).astype(np.float32).reshape(columns, blocks, 1)
    offset = np.full((columns, blocks, 1), 8, dtype=np.float32)
    if len(node.input) > 3 and node.input[3] in tensors:
        zeros = numpy_helper.to_array(tensors[node.input[3]]).reshape(columns, -1)
        offset = _halves(zeros)[:, :blocks, None].astype(np.float32)
    value = ((whole - offset) * step).reshape(columns, -1)[:, : size["K"]].T
    return Stored(value, _rounding(whole, step).reshape(columns, -1)[:, : size["K"]].T)


def _rows(node: NodeProto, tensors: Mapping[str, TensorProto]) -> Stored:
    """A (rows, width) table from four-bit codes around 8, low half of a byte first, and scales (rows, blocks)."""
    whole = _halves(numpy_helper.to_array(tensors[node.input[0]])).astype(np.float32)
    # The last block is shorter where the width is no multiple of the block: the node knows the size, the scales do not.
    scales = numpy_helper.to_array(tensors[node.input[2]])
    step = np.repeat(scales, _numbers(node).get("block_size", LOOKUP_BLOCK), axis=1)[:, : whole.shape[1]]
    return Stored((whole - 8) * step, _rounding(whole, step))


def _numbers(node: NodeProto) -> dict[str, int]:
    """The attributes of a node that are integers."""
    return {one.name: int(one.i) for one in node.attribute}


def _rounding(whole: np.ndarray, step: np.ndarray) -> np.ndarray:
    at_an_end = (whole == whole.min()) | (whole == whole.max())
    return np.abs(step) * HALF_STEP * np.where(at_an_end, 2, 1)


def _halves(packed: np.ndarray) -> np.ndarray:
    return np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:-1], -1)


def differences(expected: Mapping[str, np.ndarray], found: Mapping[str, Stored]) -> list[Difference]:
    """The expected weights, in their order, that the graph lacks or holds otherwise, by more than rounding to its
    stored form explains."""
    reasons = {name: _reason(value, found[name]) if name in found else "" for name, value in expected.items()}
    for name, value in expected.items():
        # Equal weights are stored once, under one of their names.
        if name not in found and not any(_same(value, one) for one in found.values()):
            reasons[name] = "is missing"
    return [Difference(name, reason) for name, reason in reasons.items() if reason]


def _same(value: np.ndarray, stored: Stored) -> bool:
    return stored.value.shape in (value.shape, value.shape[::-1]) and not _reason(value, stored)


def _reason(expected: np.ndarray, stored: Stored) -> str:
    """Why a stored weight is not the expected one, or nothing; a matrix may be stored turned."""
    found, rounding = stored.value, np.broadcast_to(stored.rounding, stored.value.shape)
    if not np.isfinite(found).all():
        return f"holds {int((~np.isfinite(found)).sum())} values that are not numbers"
    turned = found.ndim == 2 and found.shape == expected.shape[::-1]
    if turned and (found.shape != expected.shape or _beyond(expected, found.T, rounding.T) == 0):
        found, rounding = found.T, rounding.T
    if found.shape != expected.shape:
        return f"has the shape {found.shape} instead of {expected.shape}"
    wrong = _beyond(expected, found, rounding)
    if not wrong:
        return ""
    largest = float(np.abs(expected - found).max())
    beyond = "" if not np.any(rounding) else " beyond half a step of its scale"
    return f"differs{beyond} in {wrong} of {found.size} values, by up to {largest:.2g}"


def _beyond(expected: np.ndarray, found: np.ndarray, rounding: np.ndarray) -> int:
    """How many values lie further from the expected ones than rounding brings them."""
    return int((np.abs(expected - found) > rounding + 1e-6 * np.abs(expected)).sum())
