from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from components.artifacts import digest, read_manifest
from components.errors import ArtifactError, ParameterError
from components.params import Params
from components.run import RecordedRun
from components.tasks.config import TaskConfig
from components.tasks.rows import read_split, read_task
from tests.small_tuning import Tuner, pretrained_folder


def test_a_teacher_learns_the_task(tune: Tuner, run: RecordedRun, tmp_path: Path) -> None:
    metrics = tune("first", run, epochs=8)
    assert metrics["teacher"]["macro_f1"] > 0.7
    manifest = read_manifest(tmp_path / "first" / "teacher", "classifier")
    assert manifest["labels"] == ["city", "field", "sea"]
    assert (manifest["task"], manifest["max_length"]) == ("places", 16)
    assert any("loss" in values for _, values in run.steps)


def test_a_second_run_writes_the_same_bytes(tune: Tuner, run: RecordedRun, tmp_path: Path) -> None:
    assert tune("first", run, epochs=2) == tune("second", run, epochs=2)
    assert digest(tmp_path / "first") == digest(tmp_path / "second")


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "llama"])
def test_other_architectures_classify_too(
    params: Params, task_rows: Path, tokenizer_folder: Path, tmp_path: Path, run: RecordedRun, architecture: str
) -> None:
    pretrained = pretrained_folder(tmp_path / "pretrained", tokenizer_folder, architecture)
    metrics = Tuner(params, task_rows, pretrained, tmp_path)("first", run, epochs=10)
    assert metrics["teacher"]["macro_f1"] > 0.5


LORA = {"name": "lora", "rank": 8, "alpha": 16, "dropout": 0.1, "targets": None}


@pytest.mark.parametrize("adapter", [LORA, {"name": "frozen"}], ids=["lora", "frozen"])
def test_an_adapter_leaves_a_classifier_as_any_other(
    tune: Tuner, run: RecordedRun, tmp_path: Path, adapter: dict[str, Any]
) -> None:
    """Its rows are learned, and its merged weights give its answers."""
    metrics = tune("adapted", run, epochs=8, adapter=adapter, learning_rate=1e-2)
    tune("whole", run, epochs=1)
    assert metrics["teacher"]["macro_f1"] > (0.7 if adapter["name"] == "lora" else 0.3)
    weights = [load_file(tmp_path / name / "teacher" / "model.safetensors") for name in ("adapted", "whole")]
    assert weights[0].keys() == weights[1].keys()
    assert ("merge_difference" in metrics["teacher"]) == (adapter["name"] == "lora")
    pretrained = load_file(tune.pretrained / "model.safetensors")
    kept = torch.equal(weights[0]["model.layers.0.mlp.Wi.weight"], pretrained["model.layers.0.mlp.Wi.weight"])
    assert kept == (adapter["name"] == "frozen")


def test_texts_longer_than_the_model_reads_are_refused(tune: Tuner, run: RecordedRun) -> None:
    with pytest.raises(ParameterError, match=r"tasks.places.max_length 33"):
        tune("first", run, TaskConfig(kind="classification", language="en", max_length=33))


def test_a_missing_checkpoint_is_named(tune: Tuner, run: RecordedRun, tmp_path: Path) -> None:
    tune.pretrained = tmp_path / "nothing"
    with pytest.raises(ArtifactError, match="no pretrained here"):
        tune("first", run)


def test_a_share_of_the_labels_is_what_is_learned_from(tune: Tuner, run: RecordedRun) -> None:
    tune("first", run, epochs=1, label_fraction=0.1, batch_size=4)
    few = max(step for step, values in run.steps if "loss" in values)
    every = len(read_split(tune.rows / "train.jsonl", read_task(tune.rows)))
    assert few == -(-round(every * 0.1) // 4)
