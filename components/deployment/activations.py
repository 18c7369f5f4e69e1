"""The values in which a graph is compared with its PyTorch model: inputs and outputs of layers with weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from onnx import GraphProto, NodeProto

READS_ITS_INPUT = ("MatMul", "Gemm", "LayerNormalization")
"""Operators whose first input is what goes into the layer whose weights they read."""


@dataclass(frozen=True)
class Activation:
    """An input or an output of a layer: `layer` by its PyTorch name, `side` "input", "output" or "answer" (an output of
    the graph), `value` by its name in the graph."""

    layer: str
    side: str
    value: str


def activations(graph: GraphProto, layers: Iterable[str]) -> list[Activation]:
    """The activations of the named layers that are in a graph, in the layers' order; last the graph's outputs."""
    weights = {one.name for one in graph.initializer}
    readers = _readers(graph)
    found: list[Activation] = []
    for layer in layers:
        if layer in readers:
            node = readers[layer]
            into = node.input[0]
            if node.op_type in READS_ITS_INPUT and into not in {*weights, *(one.value for one in found[-1:])}:
                found.append(Activation(layer, "input", into))
            found.append(Activation(layer, "output", _with_bias(graph, node, weights)))
    last = found[-1].layer if found else ""
    known = {one.value for one in found}
    return found + [Activation(last, "answer", value.name) for value in graph.output if value.name not in known]


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
