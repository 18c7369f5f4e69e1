from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from components.deployment.quantize import calibration_batches
from components.deployment.rows import read_rows
from components.deployment.static_quantization import StaticQuantizer, sensitivities
from components.inference.engines import OnnxRuntime
from components.inference.sessions import Arrays
from components.runtime.encoding import Encoder
from tests.small_ladder import LABELS, TASK, Ladder


@pytest.fixture(scope="module")
def batches(ladder: Ladder) -> list[Arrays]:
    encoder = Encoder.load(ladder.onnx / "tokenizer.json", TASK.max_length, 0)
    return calibration_batches(encoder, read_rows(ladder.rows, "train", LABELS).texts, 64)


@pytest.fixture(scope="module")
def quantizer(ladder: Ladder, batches: list[Arrays]) -> StaticQuantizer:
    return StaticQuantizer.calibrated(ladder.onnx / "model.onnx", batches, per_channel=True)


def test_layers_are_those_with_weights(quantizer: StaticQuantizer) -> None:
    nodes = {node.name: node.op_type for node in quantizer.model.graph.node}
    assert [nodes[name] for name in quantizer.embedding_tables] == ["Gather"]
    products = [name for name, kind in nodes.items() if kind in ("MatMul", "Gemm")]
    # Attention multiplies activations twice, and the mean over the tokens is a product, too.
    assert len(quantizer.matmuls) == len(products) - 3


def test_only_the_layers_asked_for_are_quantized(quantizer: StaticQuantizer) -> None:
    first, *others = quantizer.matmuls
    graph = quantizer.graph([first]).graph
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    by_name = {node.name: node for node in graph.node}
    assert all(made_by[name] == "DequantizeLinear" for name in by_name[first].input)
    assert not any(made_by.get(name) == "DequantizeLinear" for name in by_name[others[0]].input)


def test_products_answer_in_float(quantizer: StaticQuantizer) -> None:
    graph = quantizer.graph(quantizer.matmuls).graph
    readers = {name: node.op_type for node in graph.node for name in node.input}
    products = [node for node in graph.node if node.op_type == "MatMul"]
    assert products
    assert not any(readers.get(node.output[0]) == "QuantizeLinear" for node in products)


def test_no_layer_asked_for_is_the_float_graph(
    quantizer: StaticQuantizer, ladder: Ladder, batches: list[Arrays], tmp_path: Path
) -> None:
    onnx.save(quantizer.graph([]), tmp_path / "model.onnx")
    same, expected = (OnnxRuntime().load(path) for path in (tmp_path / "model.onnx", ladder.onnx / "model.onnx"))
    assert np.array_equal(same.run(batches[0])["logits"], expected.run(batches[0])["logits"])


def test_calibration_repeats(quantizer: StaticQuantizer, ladder: Ladder, batches: list[Arrays]) -> None:
    again = StaticQuantizer.calibrated(ladder.onnx / "model.onnx", batches, per_channel=True)
    layers = (*quantizer.matmuls, *quantizer.embedding_tables)
    one, other = (each.graph(layers).SerializeToString(deterministic=True) for each in (quantizer, again))
    assert one == other


def test_a_layer_costs_more_the_coarser_it_is(
    quantizer: StaticQuantizer, ladder: Ladder, batches: list[Arrays]
) -> None:
    fine = sensitivities(quantizer, ladder.onnx / "model.onnx", batches)
    assert set(fine) == {*quantizer.matmuls, *quantizer.embedding_tables}
    assert list(fine.values()) == sorted(fine.values(), reverse=True)
    whole = StaticQuantizer.calibrated(ladder.onnx / "model.onnx", batches, per_channel=False)
    coarse = sensitivities(whole, ladder.onnx / "model.onnx", batches)
    assert sum(coarse.values()) > sum(fine.values())


def test_a_residual_connection_around_a_quantized_layer_is_not_rounded(quantizer: StaticQuantizer) -> None:
    graph = quantizer.graph([*quantizer.matmuls, *quantizer.embedding_tables]).graph
    rounded = {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    sums = [node for node in graph.node if node.op_type == "Add"]
    assert sums
    assert not rounded & {name for node in sums for name in node.input}
