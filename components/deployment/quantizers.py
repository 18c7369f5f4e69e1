"""Smaller graphs by their weights alone, for ONNX Runtime on a CPU.

`int8`: weights and, at run time, activations, a scale a batch: fastest where many tokens are read at once. `int4`: the
weights of layers in blocks of 32 with their own scale and zero point, activations quantized row by row: a row's tokens
do not depend on its company. In both, tables of embeddings have 8 bits, and one that is the output layer as well is
stored once.
"""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from components.deployment.canonical import METADATA

BLOCK = 32
SMALLEST_TABLE = 4096
"""Numbers below which a table is left as it is: T5's biases of distances, say."""

INTEGER_ACTIVATIONS = 4
"""MatMulNBits' accuracy_level that computes in int8; the float ones are many times slower."""


def dynamic_int8(
    source: Path, operators: list[str], per_channel: bool, extra: dict[str, Any] | None = None
) -> ModelProto:
    """The weights of these operators in int8, their activations quantized at run time, by ONNX Runtime's quantizer."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().addFilter(no_preprocessing_hint)
    try:
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder, "int8.onnx")
            quantize_dynamic(
                source,
                written,
                op_types_to_quantize=operators,
                per_channel=per_channel,
                weight_type=QuantType.QInt8,
                extra_options=extra,
            )
            return onnx.load(written)
    finally:
        logging.getLogger().removeFilter(no_preprocessing_hint)


def no_preprocessing_hint(record: logging.LogRecord) -> bool:
    """Its advice to run a pre-processing step, which fails on graphs of the dynamo exporter."""
    return "pre-processing" not in record.getMessage()


def int8(source: ModelProto) -> ModelProto:
    """Weights of matrix products (per channel) and tables (per row) in int8; equal input gives equal bytes."""
    with tempfile.TemporaryDirectory() as folder:
        read = Path(folder, "fp32.onnx")
        read.write_bytes(source.SerializeToString(deterministic=True))
        model = dynamic_int8(read, ["MatMul", "Gemm"], per_channel=True)
    for table in tables(model.graph):
        _int8_table(model.graph, table)
    return _cleared(model)


def int4(source: ModelProto) -> ModelProto:
    """Weights of layers in 4 bits, tables and the output layer in 8; equal input gives equal bytes."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
    from onnxruntime.quantization.onnx_model import ONNXModel

    model = onnx.ModelProto()
    model.CopyFrom(source)
    ONNXModel(model).replace_gemm_with_matmul()
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{number}"
    products = {node.name: _gives_logits(model.graph, node) for node in _products(model.graph)}
    for bits, is_head in ((8, True), (4, False)):
        others = [name for name in products if products[name] != is_head]
        if len(others) < len(products):
            quantizer = MatMulNBitsQuantizer(
                model, bits=bits, block_size=BLOCK, accuracy_level=INTEGER_ACTIVATIONS, nodes_to_exclude=others
            )
            quantizer.process()
            model = quantizer.model.model
    for table in tables(model.graph):
        _blocked_table(model.graph, table)
    _use(model, "com.microsoft", 1)
    return _cleared(model)


@dataclass(frozen=True)
class Table:
    """Embeddings (rows, width), who looks things up in it, and the output layers that are its transpose."""

    weights: TensorProto
    lookups: list[NodeProto]
    heads: list[tuple[NodeProto, NodeProto]]
    """The transposition and the product with it."""

    @property
    def values(self) -> np.ndarray:
        return numpy_helper.to_array(self.weights)


def tables(graph: GraphProto) -> list[Table]:
    """The tables that can be quantized: read by nothing but lookups and the output layer."""
    found = []
    for weights in graph.initializer:
        readers = [node for node in graph.node if weights.name in node.input]
        lookups = [node for node in readers if node.op_type == "Gather" and node.input[0] == weights.name]
        turned = [node for node in readers if node.op_type == "Transpose"]
        heads = [(turn, node) for turn in turned for node in graph.node if turn.output[0] in node.input]
        fits = (
            weights.data_type == TensorProto.FLOAT
            and len(weights.dims) == 2
            and np.prod(weights.dims) >= SMALLEST_TABLE
            and weights.dims[1] % BLOCK == 0
            and lookups
            and len(lookups) + len(turned) == len(readers)
            and all(node.op_type == "MatMul" for _, node in heads)
        )
        if fits:
            found.append(Table(weights, lookups, heads))
    return found


def _int8_table(graph: GraphProto, table: Table) -> None:
    """One int8 number and, a row, one scale: Gather and multiply; MatMulInteger for the output layer."""
    name, values = table.weights.name, table.values
    scale = np.maximum(np.abs(values).max(axis=1, keepdims=True) / 127, np.finfo(np.float32).tiny).astype(np.float32)
    numbers = np.round(values / scale).astype(np.int8)
    graph.initializer.remove(table.weights)
    graph.initializer.extend(
        [numpy_helper.from_array(numbers, f"{name}.int8"), numpy_helper.from_array(scale, f"{name}.scale")]
    )
    for node in table.lookups:
        out, ids = node.output[0], node.input[1]
        made = [
            helper.make_node("Gather", [f"{name}.int8", ids], [f"{out}.int8"], axis=0),
            helper.make_node("Gather", [f"{name}.scale", ids], [f"{out}.scale"], axis=0),
            helper.make_node("Cast", [f"{out}.int8"], [f"{out}.float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{out}.float", f"{out}.scale"], [out]),
        ]
        _replace(graph, node, made)
    for turn, node in table.heads:
        out = node.output[0]
        made = [
            helper.make_node("Transpose", [f"{name}.int8"], [f"{out}.weights"], perm=[1, 0]),
            helper.make_node("Transpose", [f"{name}.scale"], [f"{out}.scales"], perm=[1, 0]),
            helper.make_node("DynamicQuantizeLinear", [node.input[0]], [f"{out}.x", f"{out}.step", f"{out}.zero"]),
            helper.make_node("MatMulInteger", [f"{out}.x", f"{out}.weights", f"{out}.zero"], [f"{out}.sum"]),
            helper.make_node("Cast", [f"{out}.sum"], [f"{out}.float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{out}.step", f"{out}.scales"], [f"{out}.factor"]),
            helper.make_node("Mul", [f"{out}.float", f"{out}.factor"], [out]),
        ]
        graph.node.remove(turn)
        _replace(graph, node, made)


def _blocked_table(graph: GraphProto, table: Table) -> None:
    """8 bits in blocks, in the form that MatMulNBits and, seen as (rows, width), GatherBlockQuantized read."""
    name, values = table.weights.name, table.values
    rows, width = values.shape
    blocks = values.reshape(rows, width // BLOCK, BLOCK)
    scale = np.maximum(np.abs(blocks).max(axis=2) / 127, np.finfo(np.float32).tiny).astype(np.float32)
    numbers = (np.round(blocks / scale[:, :, None]) + 128).astype(np.uint8)
    graph.initializer.remove(table.weights)
    graph.initializer.extend(
        [
            numpy_helper.from_array(numbers, f"{name}.blocks"),
            numpy_helper.from_array(scale, f"{name}.scale"),
            numpy_helper.from_array(np.array([rows, width]), f"{name}.shape"),
        ]
    )
    form: dict[str, Any] = {"block_size": BLOCK, "bits": 8, "domain": "com.microsoft"}
    for node in table.lookups:
        out, ids = node.output[0], node.input[1]
        inputs = [f"{out}.table", ids, f"{name}.scale"]
        made = [
            helper.make_node("Reshape", [f"{name}.blocks", f"{name}.shape"], [f"{out}.table"]),
            helper.make_node("GatherBlockQuantized", inputs, [out], gather_axis=0, quantize_axis=1, **form),
        ]
        _replace(graph, node, made)
    for turn, node in table.heads:
        inputs = [node.input[0], f"{name}.blocks", f"{name}.scale"]
        level = {"K": width, "N": rows, "accuracy_level": INTEGER_ACTIVATIONS}
        made = [helper.make_node("MatMulNBits", inputs, [node.output[0]], **level, **form)]
        graph.node.remove(turn)
        _replace(graph, node, made)


def _replace(graph: GraphProto, node: NodeProto, made: list[NodeProto]) -> None:
    place = next(number for number, other in enumerate(graph.node) if other.output[:1] == node.output[:1])
    del graph.node[place]
    for offset, new in enumerate(made):
        graph.node.insert(place + offset, new)


def _gives_logits(graph: GraphProto, node: NodeProto) -> bool:
    """Whether nothing but reshaping stands between a node and the output."""
    ends = {"logits"}
    for other in reversed(graph.node):
        if other.output and other.output[0] in ends and other.op_type in ("Gather", "Reshape", "Squeeze", "Add"):
            ends.add(other.input[0])
    return node.output[0] in ends


def _products(graph: GraphProto) -> Iterator[NodeProto]:
    """Matrix products with weights."""
    weights = {weight.name for weight in graph.initializer}
    return (node for node in graph.node if node.op_type == "MatMul" and node.input[1] in weights)


def _use(model: ModelProto, domain: str, opset: int) -> None:
    if all(used.domain != domain for used in model.opset_import):
        model.opset_import.append(helper.make_opsetid(domain, opset))


def _cleared(model: ModelProto) -> ModelProto:
    """Without weights that nothing reads any more, and what quantizers write about themselves."""
    read = {name for node in model.graph.node for name in node.input}
    kept = [weight for weight in model.graph.initializer if weight.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    for field in METADATA:
        for holder in (model, model.graph):
            if field in holder.DESCRIPTOR.fields_by_name:
                holder.ClearField(field)
    model.ClearField("producer_name")
    model.ClearField("producer_version")
    return model


QUANTIZERS = {"int8": int8, "int4": int4}
"""Rung -> how its graphs are made from fp32's."""


def quantized(
    graphs: dict[str, ModelProto], rungs: Sequence[str]
) -> tuple[dict[str, dict[str, ModelProto]], dict[str, str]]:
    """Rung -> its graphs by name, of the rungs below fp32; and those that cannot be made, with the reason: such a one
    costs only itself."""
    made, unmade = {}, {}
    for rung in rungs:
        if rung == "fp32":
            continue
        try:
            made[rung] = {part: QUANTIZERS[rung](graph) for part, graph in graphs.items()}
        except (OSError, MemoryError):
            raise
        except Exception as error:  # the quantizers' exceptions share no base class but Exception
            unmade[rung] = cannot_be_made(error)
    return made, unmade


def cannot_be_made(error: Exception) -> str:
    """Why a rung is refused whose quantizer fails: without folders, whose names may differ from run to run."""
    told = re.sub(r"\S*/", "", (str(error).splitlines() or [""])[0])[:200]
    return f"cannot be made: {type(error).__name__}: {told}"
