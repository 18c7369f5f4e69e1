from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from components.deployment.layer_parity import (
    LayerMismatch,
    distance,
    first_above,
    first_mismatch,
    graph_values,
    largest_layer_error,
)
from components.deployment.parity import shapes
from components.deployment.pytorch import load_model
from components.deployment.rows import read_rows
from components.errors import EngineError
from components.inference.sessions import Arrays
from components.runtime.encoding import Encoder
from tests.small_ladder import LABELS, Ladder


def graph_of(ladder: Ladder) -> onnx.ModelProto:
    return onnx.load(ladder.onnx / "model.onnx")


def int8_graph_of(ladder: Ladder) -> onnx.ModelProto:
    return onnx.load(ladder.quantized / "int8.onnx")


def a_batch(ladder: Ladder) -> Arrays:
    encoder = Encoder.load(ladder.student / "tokenizer.json", 24, 0)
    return shapes(encoder, read_rows(ladder.rows, "validation", LABELS).texts)["8 rows of up to 24 tokens (8, 24)"]


class Steps:
    """Differences that are there from one place on; remembers where it was asked."""

    def __init__(self, wrong: int) -> None:
        self.wrong = wrong
        self.places: set[int] = set()

    def __call__(self, place: int) -> float:
        self.places.add(place)
        return float(place >= self.wrong)


@pytest.mark.parametrize("count", [1, 2, 3, 9, 100])
def test_the_first_wrong_activation_is_found_by_halving(count: int) -> None:
    for wrong in {0, count // 3, count - 1}:
        assert first_above(asked := Steps(wrong), count, 0.5) == wrong
        assert len(asked.places) <= math.ceil(math.log2(count + 1)) + 2


def test_where_all_activations_agree_there_is_no_mismatch() -> None:
    assert first_above(lambda place: 0.1, 8, 0.5) is None
    assert first_above(lambda place: 0.1, 0, 0.5) is None


def test_a_difference_that_vanishes_again_is_found_all_the_same() -> None:
    assert first_above([0.0, 0.0, 1.0, 0.0, 0.0].__getitem__, 5, 0.5) == 2


def test_a_branch_around_a_right_activation_does_not_hide_the_wrong_one_before_it() -> None:
    assert first_above([0.0, 1.0, 0.0, 1.0, 1.0].__getitem__, 5, 0.5) == 1


def test_not_a_number_is_a_mismatch() -> None:
    assert first_above([0.0, float("inf"), float("inf")].__getitem__, 3, 0.5) == 1


def test_the_distance_is_a_share_of_the_size_on_real_tokens() -> None:
    mask = np.array([[1, 1], [1, 0]])
    expected = np.ones((2, 2, 3), dtype=np.float32)
    found = expected.copy()
    found[1, 1] = 100
    assert distance(expected, found, mask) == 0
    assert distance(expected, found.reshape(4, 3), mask) == 0
    assert distance(expected, 1.5 * expected, mask) == 0.5
    assert distance(expected, expected * np.nan, mask) == np.inf
    assert distance(expected, expected[:1], mask) == np.inf


def test_a_right_graph_has_no_mismatch(ladder: Ladder) -> None:
    model, batch = load_model(ladder.student), a_batch(ladder)
    graph, quantized = graph_of(ladder), int8_graph_of(ladder)
    assert first_mismatch(model, graph, batch, 1e-4) is None
    assert first_mismatch(model, quantized, batch, 0.2, graph) is None
    assert (
        largest_layer_error(model, graph, batch)[0]
        < 1e-5
        < largest_layer_error(model, quantized, batch, graph)[0]
        < 0.1
    )


def test_the_layer_of_a_quantized_graph_that_differs_is_named(ladder: Ladder) -> None:
    graph, wrong = graph_of(ladder), int8_graph_of(ladder)
    scale = next(one for one in wrong.graph.initializer if one.name == "model.layers.0.mlp.Wi.weight_scale")
    scale.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(scale) * np.float32(1.5), scale.name))
    found = first_mismatch(load_model(ladder.student), wrong, a_batch(ladder), 0.2, graph)
    assert found is not None
    assert (found.layer, found.number, found.of) == ("model.layers.0.mlp.Wi", 6, 11)
    assert 0.4 < found.difference < 0.6
    assert found.before < 0.05


def test_the_message_is_one_line_with_layer_place_and_sizes() -> None:
    found = LayerMismatch("model.layers.0.mlp.Wi", 3, 9, "its output", 0.8, 1e-6, "PyTorch")
    assert str(found) == (
        "layer model.layers.0.mlp.Wi (3 of 9): its output differs by 0.8 of its size from PyTorch's; "
        "what goes into it agrees to 1e-06"
    )


def test_a_graph_that_cannot_run_says_so(ladder: Ladder, tmp_path: Path) -> None:
    graph = graph_of(ladder)
    with pytest.raises(EngineError, match="ONNX Runtime cannot compute no_such_value"):
        graph_values(graph, a_batch(ladder), ["no_such_value"])
