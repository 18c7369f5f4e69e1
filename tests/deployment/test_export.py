from __future__ import annotations

import copy
import os
import re
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper
from transformers import (
    BertConfig,
    BertForMultipleChoice,
    GPT2Config,
    LlamaConfig,
    ModernBertConfig,
    PreTrainedModel,
)

from components.artifacts import file_hash, read_manifest
from components.deployment.export import check, export, export_graph
from components.deployment.layer_parity import LayerMismatch, first_mismatch
from components.deployment.parity import Parity, compare, shapes
from components.deployment.pytorch import HEADS, load_model, outputs_of, parameters_run, torch_infer
from components.deployment.rows import read_rows
from components.deployment.weights import differences, stored_weights
from components.errors import ArtifactError
from components.inference.onnx_runtime import OnnxRuntime, OnnxRuntimeSession, open_session
from components.params import Params
from components.run import RecordedRun
from components.runtime.encoding import Encoder
from tests.small_artifacts import sentences
from tests.small_ladder import LABELS, TASK, Ladder


def parity_of(graph: Path, ladder: Ladder) -> Parity:
    encoder = Encoder.load(ladder.onnx / "tokenizer.json", TASK.max_length, 0)
    texts = read_rows(ladder.rows, "validation", LABELS).texts
    model = load_model(ladder.student)
    return compare(torch_infer(model), OnnxRuntime().load(graph).run, shapes(encoder, texts), outputs_of(model))


def test_the_graph_answers_as_pytorch_does_in_every_shape(ladder: Ladder) -> None:
    parity = parity_of(ladder.onnx / "model.onnx", ladder)
    assert parity.max_difference < 1e-4
    assert parity.agreement == 1


def test_the_manifest_says_what_serving_needs(ladder: Ladder) -> None:
    manifest = read_manifest(ladder.onnx, "onnx")
    assert manifest["labels"] == LABELS
    assert (manifest["max_length"], manifest["pad_id"], manifest["opset"]) == (TASK.max_length, 0, 20)
    assert set(manifest["files"]) == {"model.onnx", "onnxruntime.onnx", "tokenizer.json"}
    assert set(manifest["made_from"]) == {"rows", "student"}


def test_batch_and_length_are_dynamic_and_nothing_tells_where_it_was_made(ladder: Ladder) -> None:
    model = onnx.load(ladder.onnx / "model.onnx")
    for value in model.graph.input:
        assert [axis.dim_param for axis in value.type.tensor_type.shape.dim] == ["batch", "length"]
    assert not model.graph.value_info
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    text = (ladder.onnx / "model.onnx").read_bytes()
    assert not re.search(rb"site-packages|\.py\b|/home/|/root/", text)


def test_a_scaled_weight_is_caught_and_the_shape_named(ladder: Ladder, tmp_path: Path) -> None:
    model = onnx.load(ladder.onnx / "model.onnx")
    weight = next(one for one in model.graph.initializer if one.name.endswith("classifier.weight"))
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * 1.01, weight.name))
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ArtifactError, match=r"differs from PyTorch by .* on .*\(\d+, \d+\); export\.max_difference"):
        check(parity_of(tmp_path / "model.onnx", ladder), 1e-3, lambda: None)


def test_a_student_that_was_changed_is_refused(
    ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path
) -> None:
    student = tmp_path / "student"
    student.mkdir()
    for path in ladder.student.iterdir():
        (student / path.name).write_bytes(path.read_bytes())
    with (student / "config.json").open("a") as stream:
        stream.write(" ")
    with pytest.raises(ArtifactError, match=r"config\.json: changed"):
        export(params.export, TASK, "places", ladder.rows, student, tmp_path / "onnx", run)
    assert not (tmp_path / "onnx").exists()


AGAIN = """
import sys
from pathlib import Path
from components.deployment.export import export
from components.params import load_params
from components.run import RecordedRun
from tests.small_ladder import TASK
rows, student, onnx = map(Path, sys.argv[1:])
export(load_params(Path("params.yaml")).export, TASK, "places", rows, student, onnx, RecordedRun())
"""


@pytest.mark.slow
def test_another_process_in_another_folder_writes_the_same_bytes(ladder: Ladder, root: Path, tmp_path: Path) -> None:
    """Also with another order of Python's sets, in which exporters trace."""
    target = tmp_path / "another folder" / "onnx"
    command = [sys.executable, "-c", AGAIN, *map(str, (ladder.rows, ladder.student, target))]
    subprocess.run(command, cwd=root, env={**os.environ, "PYTHONHASHSEED": "77"}, check=True, capture_output=True)
    for name in ("model.onnx", "manifest.json"):
        assert file_hash(target / name) == file_hash(ladder.onnx / name)


SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
ENCODERS = {
    "bert": BertConfig(**SIZES, max_position_embeddings=32),
    "modernbert": ModernBertConfig(**SIZES, local_attention=8, global_attn_every_n_layers=2),
}
DECODERS = {
    "gpt2": GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=32, activation_function="gelu_pytorch_tanh"),
    "llama": LlamaConfig(**SIZES, max_position_embeddings=32),
}
CHECKPOINTS = [
    (name, head) for name in {**ENCODERS, **DECODERS} for head in HEADS if name in ENCODERS or head != "ForMaskedLM"
]


def random_checkpoint(architecture: str, head: str) -> PreTrainedModel:
    """Every parameter drawn apart, so that none is like another by chance."""
    config = copy.deepcopy({**ENCODERS, **DECODERS}[architecture])
    config.update({"vocab_size": 330, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2})
    config.num_labels = 2 if head == "ForQuestionAnswering" else 3
    torch.manual_seed(0)
    model = HEADS[head].loader.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.config.use_cache = False
    return model.eval()


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "head"), CHECKPOINTS)
def test_every_architecture_answers_alike_with_every_head(architecture: str, head: str, tokenizer_folder: Path) -> None:
    """In every shape, from one token on; each weight once, under PyTorch's name."""
    model = random_checkpoint(architecture, head)
    graph = export_graph(model, 20)
    assert [value.name for value in graph.graph.output] == list(HEADS[head].outputs)
    encoder = Encoder.load(tokenizer_folder / "tokenizer.json", 32, 0)
    batches = shapes(encoder, [text for text, _ in sentences(40)])
    infer = OnnxRuntimeSession(open_session(graph.SerializeToString())).run
    parity = compare(torch_infer(model), infer, batches, HEADS[head].outputs)
    assert parity.max_difference < 1e-4, parity
    assert parity.agreement > 0.999
    weights = [one for one in graph.graph.initializer if len(one.dims) == 2 and one.data_type == TensorProto.FLOAT]
    assert {one.name for one in weights} <= {name for name, _ in model.named_parameters()}
    held = [numpy_helper.to_array(one) for one in weights]
    assert len({(*sorted(value.shape), float(value.sum())) for value in held}) == len(held)
    batch = batches["8 rows of up to 32 tokens (8, 32)"]
    assert differences(parameters_run(model, batch), stored_weights(graph.graph)) == []
    assert first_mismatch(model, graph, batch, 1e-4) is None


def test_a_head_over_tokens_has_outputs_by_name_with_dynamic_axes(tokenizer_folder: Path) -> None:
    graph = export_graph(random_checkpoint("bert", "ForQuestionAnswering"), 20)
    axes = {value.name: [axis.dim_param for axis in value.type.tensor_type.shape.dim] for value in graph.graph.output}
    assert axes == {"start_logits": ["batch", "length"], "end_logits": ["batch", "length"]}


def test_a_checkpoint_with_another_head_is_refused_by_name() -> None:
    with pytest.raises(ArtifactError, match="a checkpoint of BertForMultipleChoice has no head that is exported here"):
        export_graph(BertForMultipleChoice(BertConfig(**SIZES, vocab_size=40)), 20)


def test_the_manifest_names_the_tools_that_wrote_the_graph(ladder: Ladder) -> None:
    manifest = read_manifest(ladder.onnx, "onnx")
    assert set(manifest["tools"]) == {"onnx", "onnxscript", "torch", "transformers"}
    assert all(re.fullmatch(r"[\d.]+\w*", found) for found in manifest["tools"].values())
    assert manifest["outputs"] == ["logits"]


def test_the_layer_that_differs_is_named_beside_the_shape() -> None:
    parity = Parity(0.3, 0.1, 0.9, "3 rows of up to 5 tokens (3, 5)")
    mismatch = LayerMismatch("classifier", 9, 9, "its output", 0.4, 1e-7, "PyTorch")
    with pytest.raises(ArtifactError, match=r"\(3, 5\).*\n.*layer classifier \(9 of 9\): its output differs by 0\.4"):
        check(parity, 1e-3, lambda: mismatch)
