"""Engines for graphs of every kind of model: an encoder, decoders with a KV cache, an encoder-decoder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from components.deployment.export import export_graph
from components.deployment.generation.export import export_decoder, export_encoder_decoder
from components.inference.engine_store import engine_folder
from components.inference.engines import ENGINES, OnnxRuntime, Profile
from components.inference.nvidia import nvidia_host
from components.inference.profiles import graph_inputs
from components.inference.trial import BUILT_AND_RUN, BUILT_NOT_RUN, build_and_try
from tests.small_language_models import small_model

OPSET = 20
PROFILE = Profile(2, 8, max_past=24)
pytestmark = pytest.mark.slow  # the exports
GRAPHS = ("bert", "gpt2", "llama", "t5-encoder", "t5-decoder")


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("graphs")
    small = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96}
    bert = BertForSequenceClassification(BertConfig(vocab_size=330, max_position_embeddings=64, **small)).eval()
    t5 = export_encoder_decoder(small_model("t5"), OPSET)
    made = {
        "bert": export_graph(bert, OPSET),
        "gpt2": export_decoder(small_model("gpt2"), OPSET),
        "llama": export_decoder(small_model("llama"), OPSET),
        "t5-encoder": t5["encoder"],
        "t5-decoder": t5["decoder"],
    }
    for name, graph in made.items():
        (folder / f"{name}.onnx").write_bytes(graph.SerializeToString(deterministic=True))
    return {name: folder / f"{name}.onnx" for name in made}


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("name", GRAPHS)
def test_tensorrt_rtx_builds_it_without_a_gpu(name: str, graphs: dict[str, Path]) -> None:
    engine = ENGINES["tensorrt-rtx"]
    if engine.available():
        pytest.skip(str(engine.available()))
    found = build_and_try(engine, graphs[name], PROFILE, vocabulary=330)
    assert found["status"] == (BUILT_NOT_RUN if nvidia_host().device is None else BUILT_AND_RUN)
    assert engine.writes
    built = engine_folder(engine, graphs[name], PROFILE) / engine.writes
    assert built.stat().st_size > 10_000


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", GRAPHS)
def test_engines_on_a_cpu_answer_as_the_graph_does(engine: str, name: str, graphs: dict[str, Path]) -> None:
    if ENGINES[engine].available():
        pytest.skip(str(ENGINES[engine].available()))
    found = build_and_try(ENGINES[engine], graphs[name], PROFILE, vocabulary=330)
    assert found["status"] == BUILT_AND_RUN
    assert found["max_difference"] < 1e-3
    assert found["agreement"] == 1


@pytest.mark.parametrize("name", GRAPHS)
def test_a_file_tells_its_inputs_as_onnxruntime_does(name: str, graphs: dict[str, Path]) -> None:
    assert graph_inputs(graphs[name]) == OnnxRuntime().load(graphs[name]).inputs
