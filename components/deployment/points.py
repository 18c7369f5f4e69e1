"""Where a graph can be compared with its PyTorch model: what goes into each layer with weights, and what comes out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from onnx import GraphProto, NodeProto

READS_ITS_INPUT = ("MatMul", "Gemm", "LayerNormalization")
"""Operators whose first input is what goes into the layer whose weights they read."""


@dataclass(frozen=True)
class Point:
    """What goes into a layer or comes out of it: `layer` by its PyTorch name, `value` by its name in the graph."""

    layer: str
    side: str
    value: str


def points(graph: GraphProto, layers: Iterable[str]) -> list[Point]:
    """The points of the named layers that can be found in a graph, in the layers' order; last the graph's outputs."""
    weights = {one.name for one in graph.initializer}
    readers = _readers(graph)
    found: list[Point] = []
    for layer in layers:
        if layer in readers:
            node = readers[layer]
            into = node.input[0]
            if node.op_type in READS_ITS_INPUT and into not in {*weights, *(point.value for point in found[-1:])}:
                found.append(Point(layer, "input", into))
            found.append(Point(layer, "output", _with_bias(graph, node, weights)))
    last = found[-1].layer if found else ""
    known = {point.value for point in found}
    return found + [Point(last, "answer", value.name) for value in graph.output if value.name not in known]


def _readers(graph: GraphProto) -> dict[str, NodeProto]:
    """Layer -> the first node that reads its weight, directly or turned."""
    weights = {one.name for one in graph.initializer if one.name.endswith(".weight")}
    turned = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Transpose"}
    found: dict[str, NodeProto] = {}
    for node in graph.node:
        for name in (turned.get(name, name) for name in node.input):
            if name in weights and not (node.op_type == "Transpose" and name == node.input[0]):
                found.setdefault(name.removesuffix(".weight"), node)
    return found


def _with_bias(graph: GraphProto, node: NodeProto, weights: set[str]) -> str:
    """A node's output, or where nothing but a bias is added to it, the sum."""
    users = [one for one in graph.node if node.output[0] in one.input]
    if len(users) == 1 and users[0].op_type == "Add" and weights.intersection(users[0].input):
        return users[0].output[0]
    return node.output[0]
