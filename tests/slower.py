"""A rung made slower on purpose: a long chain of work that does not change an answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from components.artifacts import read_manifest, write_manifest

WIDTH, LINKS = 1024, 40


def slow_down(bundle: Path, rung: str) -> None:
    """Put the chain into a rung's graph, and its hash into the bundle's manifest."""
    path = bundle / f"models/{rung}/model.onnx"
    model = onnx.load(path)
    graph = model.graph
    last = next(node for node in graph.node if "logits" in node.output)
    last.output[list(last.output).index("logits")] = "unhurried"
    numbers = {"slow_axis": np.array([2]), "slow_shape": np.array([1, 1, WIDTH]), "slow_axes": np.array([1, 2])}
    graph.initializer.extend(numpy_helper.from_array(value.astype(np.int64), name) for name, value in numbers.items())
    graph.initializer.append(numpy_helper.from_array(np.zeros((), dtype=np.float32), "slow_zero"))
    graph.node.extend(
        [
            helper.make_node("Cast", ["input_ids"], ["slow_float"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["slow_float", "slow_axis"], ["slow_column"]),
            helper.make_node("Expand", ["slow_column", "slow_shape"], ["slow_0"]),
            *(helper.make_node("Sin", [f"slow_{link}"], [f"slow_{link + 1}"]) for link in range(LINKS)),
            helper.make_node("ReduceMean", [f"slow_{LINKS}", "slow_axes"], ["slow_mean"], keepdims=0),
            helper.make_node("Mul", ["slow_mean", "slow_zero"], ["slow_nothing"]),
            helper.make_node("Unsqueeze", ["slow_nothing", "slow_one"], ["slow_rows"]),
            helper.make_node("Add", ["unhurried", "slow_rows"], ["logits"]),
        ]
    )
    graph.initializer.append(numpy_helper.from_array(np.array([1], dtype=np.int64), "slow_one"))
    onnx.save(model, path)
    details = read_manifest(bundle, "bundle")
    for name in ("kind", "schema", "made_from", "files"):
        del details[name]
    write_manifest(bundle, "bundle", {}, **details)
