from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from components.deployment.embeddings import four_bits, quantize_tables

GENERATOR = np.random.default_rng(3)
IDS = np.array([[0, 4, 9], [1, 1, 8]], dtype=np.int64)


def table_graph(table: np.ndarray) -> onnx.ModelProto:
    """A lookup alone."""
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "ids"], ["out"], name="lookup")],
        "table",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(table, "table")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def run(model: onnx.ModelProto) -> np.ndarray:
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"ids": IDS})[0]


@pytest.mark.parametrize("width", range(64, 1025, 32))
@pytest.mark.parametrize("block", [16, 32, 64, 128, 256])
def test_a_lookup_in_four_bits_gives_what_the_codes_say(width: int, block: int) -> None:
    table = GENERATOR.normal(size=(10, width)).astype(np.float32)
    model = table_graph(table)
    assert quantize_tables(model, block) == 1
    assert model.graph.node[0].op_type == "GatherBlockQuantized"
    codes, scales = four_bits(table, block)
    whole = np.empty((10, width), dtype=np.float32)
    whole[:, 0::2], whole[:, 1::2] = codes & 15, codes >> 4
    expected = (whole - 8) * np.repeat(scales, block, axis=1)[:, :width]
    assert np.allclose(run(model), expected[IDS], atol=1e-6)
    assert np.abs(expected - table).max() <= np.abs(table).max() / 14 + 1e-6


def test_rows_of_zeros_stay_zeros() -> None:
    model = table_graph(np.zeros((10, 32), dtype=np.float32))
    quantize_tables(model, 32)
    assert not run(model).any()


def test_a_table_that_is_also_a_matrix_of_a_product_is_left_alone() -> None:
    model = table_graph(np.ones((10, 32), dtype=np.float32))
    model.graph.node.append(helper.make_node("Transpose", ["table"], ["turned"]))
    assert quantize_tables(model, 32) == 0
    assert all(opset.domain == "" for opset in model.opset_import)


def test_the_small_ladders_table_is_in_four_bits(ladder: object) -> None:
    folder: Path = ladder.quantized  # type: ignore[attr-defined]
    kinds = [node.op_type for node in onnx.load(folder / "int4_embeddings.onnx").graph.node]
    assert kinds.count("GatherBlockQuantized") == 1
