"""The canonical form of an ONNX graph: bytes that depend on what it computes, not on where or when it was made.

Exporters leave stack traces with the builder's folders in it, number values in the order of the trace, and trace in
the order of Python sets, which changes from process to process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from itertools import count
from typing import Any

import onnx
from onnx import GraphProto, ModelProto, NodeProto

FOR_ONNXRUNTIME = "onnxruntime.onnx"
"""The graph that ONNX Runtime's rungs are made from, beside model.onnx where the architecture has one of its own."""

PROTOBUF_LIMIT = 2**31
"""Bytes one protobuf message, so one ONNX file, may have."""
METADATA = ("metadata_props", "doc_string", "value_info")

Axes = Mapping[str, Sequence[str]]
"""Input or output -> the name of each axis, "" for one of a fixed size."""


def canonical(model: ModelProto, axes: Axes | None = None) -> ModelProto:
    """Bring a graph into canonical form, in place: no metadata, nodes in the order in which the output needs them,
    values named by that order, axes called as `axes` says, or as a classifier's are: batch and length."""
    for holder in _holders(model):
        for field in METADATA:
            if field in holder.DESCRIPTOR.fields_by_name:
                holder.ClearField(field)
    _name_axes(model.graph, _classifier_axes(model.graph) if axes is None else axes)
    if not any(_subgraphs(node) for node in model.graph.node):  # those refer to values outside by name
        _order(model.graph)
    onnx.checker.check_model(model)
    return model


def _order(graph: GraphProto) -> None:
    nodes = _needed(graph)
    kept = {value.name for value in (*graph.input, *graph.output)}
    # Weights keep the names that PyTorch gave them; constants have only a number.
    kept |= {weight.name for weight in graph.initializer if "." in weight.name}
    names: dict[str, str] = {"": ""}
    constants = count()
    for number, node in enumerate(nodes):
        for name in node.input:
            if name not in names:
                names[name] = name if name in kept else f"constant_{next(constants)}"
        for place, name in enumerate(node.output):
            names[name] = (
                name if name in kept or not name else f"{node.op_type}_{number}" + (f"_{place}" if place else "")
            )
        node.name = f"{node.op_type}_{number}"
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    weights = sorted((weight for weight in graph.initializer if weight.name in names), key=lambda one: names[one.name])
    for weight in weights:
        weight.name = names[weight.name]
    ordered = GraphProto(name="model", node=nodes, initializer=weights, input=graph.input, output=graph.output)
    graph.CopyFrom(ordered)


def _needed(graph: GraphProto) -> list[NodeProto]:
    """The nodes an output depends on, each after those it needs: depth first, without recursion."""
    makers = {name: number for number, node in enumerate(graph.node) for name in node.output if name}
    order: list[int] = []
    seen: set[int] = set()
    stack = [(makers[value.name], False) for value in reversed(graph.output)]
    while stack:
        number, inputs_done = stack.pop()
        if inputs_done:
            order.append(number)
        elif number not in seen:
            seen.add(number)
            stack.append((number, True))
            stack += [(makers[name], False) for name in reversed(graph.node[number].input) if name in makers]
    return [graph.node[number] for number in order]


def _classifier_axes(graph: GraphProto) -> Axes:
    return {value.name: ("batch", "length") for value in graph.input} | {
        value.name: ("batch", *[""] * (len(value.type.tensor_type.shape.dim) - 1)) for value in graph.output
    }


def _name_axes(graph: GraphProto, axes: Axes) -> None:
    for value in (*graph.input, *graph.output):
        for axis, name in zip(value.type.tensor_type.shape.dim, axes[value.name], strict=True):
            if name:
                axis.dim_param = name


def _holders(model: ModelProto) -> list[Any]:
    """Everything in a model that may carry metadata, subgraphs of control flow included."""
    found: list[Any] = [model, *model.functions]
    nodes = [node for function in model.functions for node in function.node]
    graphs = [model.graph]
    while graphs:
        here = graphs.pop()
        found += [here, *here.input, *here.output, *here.initializer]
        nodes += here.node
        graphs += [graph for node in here.node for graph in _subgraphs(node)]
    return [*found, *nodes, *(attribute for node in nodes for attribute in node.attribute)]


def _subgraphs(node: NodeProto) -> list[GraphProto]:
    single = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    return single + [graph for attribute in node.attribute for graph in attribute.graphs]


def tools() -> dict[str, str]:
    """Versions of what made a graph; PyTorch's without its build, which does not change the graph."""
    return {name: version(name).partition("+")[0] for name in ("onnx", "onnxscript", "torch", "transformers")}


@contextmanager
def quiet(name: str) -> Iterator[None]:
    """Keep a library's warnings about what it does not need off the console."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
