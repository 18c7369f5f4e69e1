from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

from components.deployment.embeddings import quantize_tables
from components.deployment.weights import differences, name_weights, stored_weights

GENERATOR = np.random.default_rng(0)
WIDTH = 64
WEIGHTS = {
    "first.weight": GENERATOR.normal(size=(2 * WIDTH, WIDTH)).astype(np.float32),
    "first.bias": GENERATOR.normal(size=2 * WIDTH).astype(np.float32),
    "second.weight": GENERATOR.normal(size=(WIDTH, 2 * WIDTH)).astype(np.float32),
    "second.bias": GENERATOR.normal(size=WIDTH).astype(np.float32),
}
"""As PyTorch keeps them: (outputs, inputs)."""


def two_layers() -> ModelProto:
    """What the exporter writes: the weight of a MatMul turned and numbered, others under their names in a wrapper."""
    nodes = [
        helper.make_node("MatMul", ["x", "val_7"], ["a"]),
        helper.make_node("Add", ["a", "model.first.bias"], ["b"]),
        helper.make_node("Gemm", ["b", "model.second.weight", "model.second.bias"], ["y"], transB=1),
    ]
    held = {"val_7": WEIGHTS["first.weight"].T}
    held |= {f"model.{name}": WEIGHTS[name] for name in ("first.bias", "second.weight", "second.bias")}
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", WIDTH])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in held.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    name_weights(model.graph, WEIGHTS)
    return model


def dynamic(source: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QInt8)


def static(source: Path, target: Path) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Rows(CalibrationDataReader):
        left = 4

        def get_next(self) -> dict[str, np.ndarray]:
            self.left -= 1
            return {} if self.left < 0 else {"x": GENERATOR.normal(size=(8, WIDTH)).astype(np.float32)}

    quantize_static(
        source,
        target,
        Rows(),
        QuantFormat.QDQ,
        per_channel=True,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt8,
    )


def four_bits(source: Path, target: Path) -> None:
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(onnx.load(source), block_size=32, is_symmetric=False)
    quantizer.process()
    onnx.save(quantizer.model.model, target)


def half(source: Path, target: Path) -> None:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), target)


FORMS: dict[str, Callable[[Path, Path], None]] = {
    "dynamic int8": dynamic,
    "Q/DQ int8": static,
    "blocks of four bits": four_bits,
    "float16": half,
}


def stored_as(form: str, folder: Path) -> GraphProto:
    onnx.save(two_layers(), folder / "float.onnx")
    FORMS[form](folder / "float.onnx", folder / "small.onnx")
    return onnx.load(folder / "small.onnx").graph


def change(graph: GraphProto, name: str, by: Callable[[np.ndarray], np.ndarray]) -> None:
    tensor = next(one for one in graph.initializer if one.name == name)
    tensor.CopyFrom(numpy_helper.from_array(by(numpy_helper.to_array(tensor).copy()), name))


def test_numbered_weights_get_the_names_pytorch_gave_them() -> None:
    graph = two_layers().graph
    assert {one.name for one in graph.initializer} == set(WEIGHTS)
    assert [list(node.input) for node in graph.node] == [
        ["x", "first.weight"],
        ["a", "first.bias"],
        ["b", "second.weight", "second.bias"],
    ]


def test_a_weight_that_is_used_twice_is_kept_once() -> None:
    shared = GENERATOR.normal(size=(5, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["model.words.weight", "x"], ["a"]),
            helper.make_node("MatMul", ["a", "val_3"], ["y"]),
        ],
        "model",
        [helper.make_tensor_value_info("x", TensorProto.INT64, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 5])],
        [
            numpy_helper.from_array(shared, "model.words.weight"),
            numpy_helper.from_array(np.ascontiguousarray(shared.T), "val_3"),
        ],
    )
    name_weights(graph, {"words.weight": shared})
    assert [one.name for one in graph.initializer] == ["words.weight"]
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert np.allclose(session.run(None, {"x": np.array([4, 1])})[0], shared[[4, 1]] @ shared.T)


def test_float_weights_are_the_checkpoints_to_the_bit() -> None:
    graph = two_layers().graph
    assert differences(WEIGHTS, stored_weights(graph)) == []
    change(graph, "first.bias", lambda value: value * np.float32(1.0001))
    (wrong,) = differences(WEIGHTS, stored_weights(graph))
    assert (wrong.layer, wrong.name) == ("first", "first.bias")
    assert wrong.reason.startswith(f"differs in {2 * WIDTH} of {2 * WIDTH} values, by up to")


@pytest.mark.parametrize("form", FORMS)
def test_correct_rounding_is_no_difference(form: str, tmp_path: Path) -> None:
    found = stored_weights(stored_as(form, tmp_path))
    assert {"first.weight", "second.weight"} <= set(found)
    assert differences(WEIGHTS, found) == []


@pytest.mark.parametrize(
    ("form", "tensor"),
    [
        ("dynamic int8", "second.weight_scale"),
        ("Q/DQ int8", "second.weight_scale"),
        ("blocks of four bits", "first.weight_scales"),
        ("float16", "second.weight"),
    ],
)
def test_a_wrong_scale_is_named(form: str, tensor: str, tmp_path: Path) -> None:
    graph = stored_as(form, tmp_path)
    change(graph, tensor, lambda value: (value * 1.5).astype(value.dtype))
    (wrong,) = differences(WEIGHTS, stored_weights(graph))
    assert wrong.name == tensor.partition("_")[0]
    assert "differs beyond half a step of its scale" in wrong.reason


@pytest.mark.parametrize(("form", "tensor"), [("dynamic int8", "first.weight_zero_point")])
def test_a_shifted_zero_point_is_named(form: str, tensor: str, tmp_path: Path) -> None:
    graph = stored_as(form, tmp_path)
    change(graph, tensor, lambda value: value + np.int8(1))
    assert [one.name for one in differences(WEIGHTS, stored_weights(graph))] == ["first.weight"]


def test_what_is_missing_not_a_number_or_of_another_shape_is_told() -> None:
    graph = two_layers().graph
    change(graph, "first.weight", lambda value: np.where(value > 2, np.float32("nan"), value))
    change(graph, "second.weight", lambda value: value[:, :-1])
    graph.initializer.remove(next(one for one in graph.initializer if one.name == "first.bias"))
    reasons = {one.name: one.reason for one in differences(WEIGHTS, stored_weights(graph))}
    assert reasons["first.bias"] == "is missing"
    assert reasons["first.weight"].endswith("values that are not numbers")
    assert reasons["second.weight"] == f"has the shape ({WIDTH}, {2 * WIDTH - 1}) instead of ({WIDTH}, {2 * WIDTH})"


def test_equal_weights_may_be_stored_once() -> None:
    twice = {**WEIGHTS, "third.bias": WEIGHTS["first.bias"]}
    assert differences(twice, stored_weights(two_layers().graph)) == []


@pytest.mark.parametrize("width", range(64, 1025, 32))
@pytest.mark.parametrize("block", [16, 32, 64, 128, 256])
def test_a_table_in_blocks_of_four_bits_is_read_as_wide_as_it_is(width: int, block: int) -> None:
    """The last block of a row is shorter where the width is no multiple of the block."""
    table = GENERATOR.normal(size=(40, width)).astype(np.float32) * np.linspace(0.1, 9, width, dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gather", ["words.weight", "ids"], ["y"])],
        "table",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", width])],
        [numpy_helper.from_array(table, "words.weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    assert quantize_tables(model, block) == 1
    assert differences({"words.weight": table}, stored_weights(model.graph)) == []
    change(model.graph, "words.weight_scales", lambda scales: scales * np.float32(1.5))
    assert [one.name for one in differences({"words.weight": table}, stored_weights(model.graph))] == ["words.weight"]
