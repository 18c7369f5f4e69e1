"""components.deployment.fused_attention: fewer nodes, the same answers, and a model that is afterwards what it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
)

from components.deployment.export import export_for_rows, export_graph
from components.deployment.fused_attention import CONTRIB, fused
from components.deployment.pytorch import torch_infer
from components.inference.engines import OnnxRuntime

LENGTH = 24


@pytest.fixture(scope="module")
def model() -> ModernBertForSequenceClassification:
    """Two layers of two heads."""
    torch.manual_seed(0)
    config = ModernBertConfig(
        vocab_size=100,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        classifier_pooling="mean",
        layer_types=["full_attention"] * 2,
        pad_token_id=0,
    )
    return ModernBertForSequenceClassification(config).eval()


@pytest.fixture(scope="module")
def graphs(model: ModernBertForSequenceClassification) -> dict[str, ModelProto]:
    standard, own = export_for_rows(model, 20, LENGTH)
    assert own is not None
    return {"standard": standard, "own": own}


def batch(rows: int, length: int) -> dict[str, np.ndarray]:
    """Rows of random tokens, each but the first shorter than the one before."""
    ids = np.random.default_rng(rows * length).integers(4, 100, (rows, length))
    mask = np.array([[int(place < max(1, length - 3 * row)) for place in range(length)] for row in range(rows)])
    return {"input_ids": ids, "attention_mask": mask}


@pytest.mark.parametrize("kind", ["standard", "own"])
@pytest.mark.parametrize(("rows", "length"), [(1, 1), (1, LENGTH), (3, 7), (8, LENGTH)])
def test_both_graphs_answer_as_the_model(
    kind: str, rows: int, length: int, model: torch.nn.Module, graphs: dict[str, ModelProto], tmp_path: Path
) -> None:
    onnx.save(graphs[kind], tmp_path / "graph.onnx")
    given = batch(rows, length)
    found = OnnxRuntime().load(tmp_path / "graph.onnx").run(given)["logits"]
    assert np.abs(found - torch_infer(model)(given)["logits"]).max() < 1e-5  # type: ignore[arg-type]


def test_only_one_graph_needs_onnx_runtime_and_it_has_far_fewer_nodes(
    model: ModernBertForSequenceClassification, graphs: dict[str, ModelProto]
) -> None:
    assert {node.domain for node in graphs["standard"].graph.node} == {""}
    assert not graphs["standard"].functions
    assert {node.domain for node in graphs["own"].graph.node} == {"", CONTRIB}
    plain = len(export_graph(model, 20).graph.node)
    assert len(graphs["own"].graph.node) < plain / 2


def test_the_model_is_afterwards_what_it_was(model: ModernBertForSequenceClassification) -> None:
    given = batch(3, 7)
    before = torch_infer(model)(given)["logits"]
    with fused(model, LENGTH) as known:
        assert known
    assert np.array_equal(torch_infer(model)(given)["logits"], before)


def test_equal_models_give_equal_bytes(
    model: ModernBertForSequenceClassification, graphs: dict[str, ModelProto]
) -> None:
    again = export_for_rows(model, 20, LENGTH)
    for graph, name in zip(again, ("standard", "own"), strict=True):
        assert graph is not None
        assert graph.SerializeToString(deterministic=True) == graphs[name].SerializeToString(deterministic=True)


def test_rows_longer_than_was_said_are_refused_not_answered_wrongly(
    graphs: dict[str, ModelProto], tmp_path: Path
) -> None:
    for graph in graphs.values():
        onnx.save(graph, tmp_path / "graph.onnx")
        with pytest.raises(Exception, match="ONNX Runtime failed"):
            OnnxRuntime().load(tmp_path / "graph.onnx").run(batch(1, LENGTH + 1))


def test_an_architecture_or_layers_it_does_not_know_are_exported_as_they_are() -> None:
    small = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    bert = BertForSequenceClassification(BertConfig(**small, intermediate_size=32)).eval()
    sliding = ModernBertConfig(**small, intermediate_size=32, pad_token_id=0, layer_types=["sliding_attention"])
    for model in (bert, ModernBertForSequenceClassification(sliding).eval()):
        with fused(model, LENGTH) as known:
            assert not known
    standard, own = export_for_rows(bert, 20, LENGTH)
    assert own is None
    assert {node.domain for node in standard.graph.node} == {""}
