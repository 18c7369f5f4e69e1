from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from components.deployment.generation.export import (
    FUSED_OPSET,
    cache_shape,
    causal_mask,
    export_decoder,
    export_encoder_decoder,
)
from components.errors import ArtifactError
from tests.small_language_models import small_model

PROGRAM = """
import hashlib
from components.deployment.generation.export import export_decoder
from tests.small_language_models import small_model
print(hashlib.sha256(export_decoder(small_model("gpt2"), 20).SerializeToString(deterministic=True)).hexdigest())
"""


def axes(graph: onnx.GraphProto) -> dict[str, list[str | int]]:
    return {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }


def run_decoder(graph: onnx.ModelProto, ids: np.ndarray, mask: np.ndarray, past: list[np.ndarray]) -> list[Any]:
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs() if value.name.startswith("past.")]
    positions = np.maximum(mask.cumsum(axis=1) - 1, 0)[:, -ids.shape[1] :]
    feeds = {"input_ids": ids, "attention_mask": mask, "position_ids": positions, **dict(zip(names, past, strict=True))}
    return session.run(None, feeds)


def follows_pytorch(name: str, graph: onnx.ModelProto) -> None:
    """Read at once from an empty cache, padded on the left, and token by token."""
    model = small_model(name)
    layers, heads, width = cache_shape(model)
    ids = np.random.default_rng(0).integers(4, 330, size=(2, 9))
    mask = np.ones_like(ids)
    mask[1, :4] = 0
    logits, *past = run_decoder(graph, ids, mask, [np.zeros((2, heads, 0, width), np.float32)] * 2 * layers)
    following = np.array([[7], [8]])
    later, *_ = run_decoder(graph, following, np.concatenate([mask, following > 0], axis=1).astype(np.int64), past)
    with torch.inference_mode():
        for row, begin in ((0, 0), (1, 4)):
            whole = torch.tensor([[*ids[row, begin:], *following[row]]])
            expected = model(input_ids=whole).logits[0, -2:].numpy()
            assert np.abs(expected - np.stack([logits[row], later[row]])).max() < 1e-5


@pytest.fixture(scope="module")
def gpt2_graph() -> onnx.ModelProto:
    return export_decoder(small_model("gpt2"), 20)


@pytest.mark.slow
def test_gpt2_as_one_graph_follows_pytorch(gpt2_graph: onnx.ModelProto) -> None:
    follows_pytorch("gpt2", gpt2_graph)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["llama", "qwen2", "mistral"])
def test_a_decoder_as_one_graph_follows_pytorch(name: str) -> None:
    follows_pytorch(name, export_decoder(small_model(name), 20))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen2", "mistral"])
def test_the_graph_for_onnxruntimes_own_rungs_has_attention_as_one_operator(name: str) -> None:
    graph = export_decoder(small_model(name), FUSED_OPSET)
    follows_pytorch(name, graph)
    kinds = Counter(node.op_type for node in graph.graph.node)
    assert kinds["Attention"] == 1
    assert kinds["Softmax"] == 0


def test_axes_have_names_and_the_tied_table_stands_there_once(decoder_bundle: Path) -> None:
    graph = onnx.load(decoder_bundle / "models/fp32/decoder.onnx").graph
    assert axes(graph) == {
        "input_ids": ["batch", "length"],
        "attention_mask": ["batch", "past_and_length"],
        "position_ids": ["batch", "length"],
        "past.0.key": ["batch", 2, "past", 32],
        "past.0.value": ["batch", 2, "past", 32],
        "logits": ["batch", 330],
        "present.0.key": ["batch", 2, "past_and_length", 32],
        "present.0.value": ["batch", 2, "past_and_length", 32],
    }
    assert [weight.name for weight in graph.initializer if 330 in weight.dims] == ["model.lm_head.weight"]


@pytest.mark.parametrize("form", ["decoder", "encoder_decoder", "embedding"])
def test_no_weight_stands_in_a_graph_twice_and_no_folder_is_named(form: str, request: pytest.FixtureRequest) -> None:
    bundle: Path = request.getfixturevalue(f"{form}_bundle")
    for path in bundle.glob("models/*/*.onnx"):
        content = path.read_bytes()
        weights = [weight.raw_data for weight in onnx.load_from_string(content).graph.initializer]
        large = [hashlib.sha256(data).hexdigest() for data in weights if len(data) > 256]
        assert len(large) == len(set(large)), path
        assert b"site-packages" not in content


def test_the_sources_keys_are_made_by_the_encoder_and_not_by_the_decoder(encoder_decoder_bundle: Path) -> None:
    encoder, decoder = (
        onnx.load(encoder_decoder_bundle / f"models/fp32/{part}.onnx").graph for part in ("encoder", "decoder")
    )
    assert axes(encoder)["cross.0.key"] == axes(decoder)["cross.0.key"] == ["batch", 4, "source", 16]
    products = [node for node in decoder.node if node.op_type == "MatMul"]
    weights = {weight.name for weight in decoder.initializer}
    # q, k, v, o of the self-attention, q and o of the other, two of the feed-forward block; the output layer is tied.
    assert sum(node.input[1] in weights for node in products) == 8


@pytest.mark.slow
def test_bytes_are_the_same_in_another_process(gpt2_graph: onnx.ModelProto) -> None:
    """With another order of Python's sets."""
    another = {**os.environ, "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"}
    told = subprocess.check_output([sys.executable, "-c", PROGRAM], text=True, env=another)
    assert told.strip() == hashlib.sha256(gpt2_graph.SerializeToString(deterministic=True)).hexdigest()


def test_padding_is_not_seen_and_no_row_of_the_mask_is_empty() -> None:
    added = causal_mask(torch.tensor([[0, 1, 1, 1]]), 2)[0, 0]
    assert (added == 0).tolist() == [[False, True, True, False], [False, True, True, True]]
    assert (causal_mask(torch.tensor([[0, 0, 1]]), 3)[0, 0] == 0).any(dim=1).all()


def test_a_model_too_large_for_a_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.deployment.generation.export.PROTOBUF_LIMIT", 1000)
    with pytest.raises(ArtifactError, match="do not fit one ONNX file"):
        export_decoder(small_model("gpt2"), 20)
    with pytest.raises(ArtifactError, match="do not fit one ONNX file"):
        export_encoder_decoder(small_model("t5"), 20)
