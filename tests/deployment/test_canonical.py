from __future__ import annotations

import logging

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from components.deployment.canonical import canonical, quiet, tools


def graph(order: list[int], prefix: str) -> onnx.ModelProto:
    """x -> (x * w) + (x + c), with nodes in the order asked for, and one node nobody needs."""
    nodes = [
        helper.make_node("Mul", ["x", "layer.weight"], [f"{prefix}1"], name=f"{prefix}n1"),
        helper.make_node("Add", ["x", f"{prefix}c"], [f"{prefix}2"], name=f"{prefix}n2"),
        helper.make_node("Neg", ["x"], [f"{prefix}dead"], name=f"{prefix}n3"),
    ]
    nodes = [nodes[number] for number in order]
    nodes.append(helper.make_node("Add", [f"{prefix}1", f"{prefix}2"], ["y"], name=f"{prefix}n4"))
    for node in nodes:
        node.doc_string = "/home/someone/model.py:12"
    weights = [
        numpy_helper.from_array(np.array([2.0], dtype=np.float32), "layer.weight"),
        numpy_helper.from_array(np.array([10.0], dtype=np.float32), f"{prefix}c"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["s1", "s2"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["s1", "s2"])
    model = helper.make_model(
        helper.make_graph(nodes, f"{prefix}graph", [x], [y], initializer=weights),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
    helper.set_model_props(model, {"made in": "/home/someone"})
    return model


def test_bytes_depend_on_neither_node_order_nor_the_names_of_values() -> None:
    one = canonical(graph([0, 1, 2], "val_")).SerializeToString(deterministic=True)
    other = canonical(graph([2, 1, 0], "t")).SerializeToString(deterministic=True)
    assert one == other
    assert b"/home" not in one


def test_it_computes_what_it_computed_and_drops_what_nobody_needs() -> None:
    model = canonical(graph([2, 1, 0], "val_"))
    assert [node.op_type for node in model.graph.node] == ["Mul", "Add", "Add"]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.run(["y"], {"x": np.array([[1.0, 3.0]], dtype=np.float32)})[0].tolist() == [[13.0, 19.0]]


def test_weights_keep_their_names_and_axes_get_theirs() -> None:
    model = canonical(graph([0, 1, 2], "val_"))
    assert {weight.name for weight in model.graph.initializer} == {"layer.weight", "constant_0"}
    axes = [axis.dim_param for axis in model.graph.input[0].type.tensor_type.shape.dim]
    assert axes == ["batch", "length"]


@pytest.mark.parametrize("form", ["metadata", "doc_string"])
def test_metadata_inside_control_flow_is_cleared_too(form: str) -> None:
    branch = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["z"], name="inner")],
        "branch",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
    )
    inner = branch.node[0]
    if form == "doc_string":
        inner.doc_string = "/home/someone/model.py:12"
    else:
        inner.metadata_props.add(key="trace", value="/home/someone/model.py:12")
    condition = numpy_helper.from_array(np.array(True), "condition")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["s1", "s2"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["s1", "s2"])
    node = helper.make_node("If", ["condition"], ["y"], then_branch=branch, else_branch=branch)
    model = helper.make_model(
        helper.make_graph([node], "graph", [x], [y], initializer=[condition]),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
    assert b"/home" in model.SerializeToString()
    assert b"/home" not in canonical(model).SerializeToString()


def test_versions_are_told_without_the_build_of_pytorch() -> None:
    assert set(tools()) == {"onnx", "onnxscript", "torch", "transformers"}
    assert "+" not in tools()["torch"]


def test_a_library_is_quiet_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("some.library")
    with quiet("some.library"):
        logger.warning("of no use")
    logger.warning("of use")
    assert [record.message for record in caplog.records] == ["of use"]
