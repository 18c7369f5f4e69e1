from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from onnx import numpy_helper

from components.artifacts import file_hash, read_manifest, write_manifest
from components.deployment.encoding import Encoder
from components.deployment.engines import OnnxRuntime
from components.deployment.export import check, export
from components.deployment.parity import Parity, compare, shapes
from components.deployment.pytorch import load_model, torch_infer
from components.deployment.rows import read_rows
from components.errors import ArtifactError
from components.modeling.architectures import build_language_model
from components.modeling.checkpoints import load_tokenizer, random_classifier, save_checkpoint
from components.params import ModelConfig, Params
from components.run import RecordedRun
from tests.small_ladder import LABELS, TASK, Ladder


def parity_of(graph: Path, ladder: Ladder) -> Parity:
    encoder = Encoder.load(ladder.onnx / "tokenizer.json", TASK.max_length, 0)
    texts = read_rows(ladder.rows, "validation", LABELS).texts
    return compare(torch_infer(load_model(ladder.student)), OnnxRuntime().load(graph).infer, shapes(encoder, texts))


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
        check(parity_of(tmp_path / "model.onnx", ladder), 1e-3)


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


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["bert", "gpt2", "llama"])
def test_other_architectures_are_exported_as_well(
    architecture: str, params: Params, task_rows: Path, tokenizer_folder: Path, run: RecordedRun, tmp_path: Path
) -> None:
    section = ModelConfig.model_validate({"architecture": architecture, "depth": 1, "max_length": 32})
    torch.manual_seed(0)
    language_model = build_language_model(section, load_tokenizer(tokenizer_folder), 16)
    for name in ("pretrained", "student"):
        (tmp_path / name).mkdir()
    save_checkpoint(language_model, tokenizer_folder, tmp_path / "pretrained")
    classifier = random_classifier(tmp_path / "pretrained", LABELS, 0.0)
    save_checkpoint(classifier, tokenizer_folder, tmp_path / "student")
    write_manifest(tmp_path / "student", "classifier", {}, task="places", labels=LABELS, max_length=24)
    metrics = export(params.export, TASK, "places", task_rows, tmp_path / "student", tmp_path / "onnx", run)
    assert metrics["parity"]["max_difference"] < 1e-4
    assert metrics["parameters"] == classifier.num_parameters()
