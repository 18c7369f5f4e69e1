from __future__ import annotations

import onnx

from components.deployment.activations import activations
from tests.small_ladder import Ladder

LAYERS = [
    "model.embeddings.tok_embeddings",
    "model.embeddings.norm",
    "model.layers.0.attn.Wqkv",
    "model.layers.0.attn.Wo",
    "model.layers.0.mlp_norm",
    "model.layers.0.mlp.Wi",
    "model.layers.0.mlp.Wo",
    "model.final_norm",
    "head.dense",
    "head.norm",
    "classifier",
]


def test_points_are_in_the_order_of_the_layers_and_end_with_the_answer(ladder: Ladder) -> None:
    graph = onnx.load(ladder.onnx / "model.onnx").graph
    found = activations(graph, LAYERS)
    assert list(dict.fromkeys(point.layer for point in found)) == LAYERS
    assert (found[-1].side, found[-1].value) == ("output", "logits")
    assert len({point.value for point in found}) == len(found)
