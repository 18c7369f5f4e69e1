from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from components.deployment.generation.output_parity import greedy
from components.deployment.quantizers import QUANTIZERS, tables
from components.runtime.generation.generator import Generator, load_generator
from components.runtime.generation.graphs import Graph

PROMPTS = ["ship wave", "海 船 ship wave sail tide", "tower"]


def table_graph(width: int) -> onnx.ModelProto:
    """A table of 200 rows that is looked up in and is the output layer: ids, x -> embedded, logits."""
    values = np.random.default_rng(0).standard_normal((200, width)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table.weight", "ids"], ["embedded"], axis=0),
        helper.make_node("Transpose", ["table.weight"], ["turned"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "turned"], ["logits"]),
    ]
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"]),
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["m", width]),
    ]
    outputs = [
        helper.make_tensor_value_info("embedded", TensorProto.FLOAT, ["n", width]),
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["m", 200]),
    ]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(values, "table.weight")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.mark.parametrize("rung", QUANTIZERS)
def test_a_tied_table_is_stored_once_in_a_quarter_and_still_is_what_it_was(rung: str, tmp_path: Path) -> None:
    source = table_graph(64)
    values = numpy_helper.to_array(source.graph.initializer[0])
    made = QUANTIZERS[rung](source)
    assert sum(np.prod(weight.dims) == values.size for weight in made.graph.initializer) == 1
    assert len(made.SerializeToString()) < len(source.SerializeToString()) / 3
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    x = np.random.default_rng(1).standard_normal((3, 64)).astype(np.float32)
    found = Graph.load(tmp_path / "model.onnx", 1).run({"ids": np.arange(200), "x": x})
    embedded, logits = found.values()
    assert np.abs(embedded - values).max() < 0.02
    assert np.abs(logits - x @ values.T).max() < 0.4


@pytest.mark.parametrize("rung", QUANTIZERS)
def test_equal_graphs_give_equal_bytes_and_the_source_is_left_as_it_was(rung: str, decoder_bundle: Path) -> None:
    source = onnx.load(decoder_bundle / "models/fp32/decoder.onnx")
    before = source.SerializeToString(deterministic=True)
    one, other = (QUANTIZERS[rung](source).SerializeToString(deterministic=True) for _ in range(2))
    assert one == other
    assert source.SerializeToString(deterministic=True) == before


def test_no_large_weight_is_left_in_float(decoder_bundle: Path, encoder_decoder_bundle: Path) -> None:
    for bundle in (decoder_bundle, encoder_decoder_bundle):
        for path in [*bundle.glob("models/int8/*.onnx"), *bundle.glob("models/int4/*.onnx")]:
            for weight in onnx.load(path).graph.initializer:
                assert weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < 2048, (path, weight.name)


def test_int4_has_its_layers_in_four_bits_and_its_table_in_eight(decoder_bundle: Path) -> None:
    nodes = onnx.load(decoder_bundle / "models/int4/decoder.onnx").graph.node
    bits = [helper.get_node_attr_value(node, "bits") for node in nodes if node.op_type == "MatMulNBits"]
    assert sorted(bits) == [4, 4, 4, 4, 8]
    assert sum(node.op_type == "GatherBlockQuantized" for node in nodes) == 2


def test_an_int4_row_does_not_depend_on_its_company(decoder_bundle: Path) -> None:
    generator: Generator = load_generator(decoder_bundle, "int4")
    ids = [generator.encode(prompt) for prompt in PROMPTS]
    together = greedy(generator, ids)
    assert together == [greedy(generator, [row])[0] for row in ids]


def test_a_small_table_or_one_of_an_odd_width_stays_as_it_is() -> None:
    assert not tables(table_graph(16).graph)
    assert not tables(table_graph(33).graph)
    assert len(tables(table_graph(32).graph)) == 1
