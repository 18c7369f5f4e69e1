"""Embedding tables in four bits: most of a small model's bytes, and touched a row at a time.

Weight-only, a scale a block of a row (ONNX Runtime's GatherBlockQuantized, which runs on the CPU).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

DOMAIN = "com.microsoft"
ZERO = 8
"""The middle of the codes 0 to 15, which the operator takes for zero."""


def quantize_tables(model: ModelProto, block: int) -> int:
    """Put every float table of embeddings into four bits, in place; returns how many there were."""
    graph = model.graph
    found = [node for node in graph.node if _is_lookup(graph, node)]
    for node in found:
        _quantize(graph, node, block)
    if found and all(opset.domain != DOMAIN for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return len(found)


def four_bits(table: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Packed codes, uint8 (rows, width / 2), the even column in the low half, and float32 scales (rows, blocks)."""
    rows, width = table.shape
    blocks = -(-width // block)
    padded = np.zeros((rows, blocks * block), dtype=np.float32)
    padded[:, :width] = table
    parts = padded.reshape(rows, blocks, block)
    scales = np.abs(parts).max(axis=-1) / np.float32(7)
    scales[scales == 0] = 1
    codes = (np.clip(np.rint(parts / scales[..., None]), -8, 7) + ZERO).astype(np.uint8)
    flat = codes.reshape(rows, -1)[:, :width]
    return flat[:, 0::2] | (flat[:, 1::2] << 4), scales


def _is_lookup(graph: GraphProto, node: NodeProto) -> bool:
    """Whether a node looks rows up in a float matrix that no other node reads."""
    if node.op_type != "Gather" or any(attribute.name == "axis" and attribute.i for attribute in node.attribute):
        return False
    table = _initializer(graph, node.input[0])
    readers = sum(node.input[0] in other.input for other in graph.node)
    return (
        table is not None
        and table.data_type == TensorProto.FLOAT
        and len(table.dims) == 2
        and table.dims[1] % 2 == 0
        and readers == 1
    )


def _quantize(graph: GraphProto, node: NodeProto, block: int) -> None:
    table = _initializer(graph, node.input[0])
    codes, scales = four_bits(numpy_helper.to_array(table), block)
    names = [f"{table.name}_codes", f"{table.name}_scales"]
    graph.initializer.remove(table)
    graph.initializer.extend(
        numpy_helper.from_array(values, name) for values, name in zip((codes, scales), names, strict=True)
    )
    lookup = helper.make_node(
        "GatherBlockQuantized",
        [names[0], node.input[1], names[1]],
        list(node.output),
        name=node.name,
        domain=DOMAIN,
        bits=4,
        block_size=block,
        gather_axis=0,
        quantize_axis=1,
    )
    node.CopyFrom(lookup)


def _initializer(graph: GraphProto, name: str) -> Any:
    return next((weight for weight in graph.initializer if weight.name == name), None)
