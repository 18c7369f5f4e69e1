from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from components.artifacts import digest, file_hash, read_manifest, write_manifest
from components.errors import ArtifactError, ParameterError
from components.modeling.architectures import build_language_model
from components.modeling.checkpoints import load_tokenizer, save_checkpoint
from components.modeling.config import ModelConfig
from components.params import Params
from components.run import Metrics, RecordedRun
from components.tasks.config import TaskConfig
from components.tasks.rows import read_split, read_task
from components.training.config import FinetuneConfig
from components.training.finetune import finetune
from components.training.store import CheckpointStore

TASK = TaskConfig(kind="classification", language="en", max_length=16)
SMALL = {
    "min_steps": 1,
    "epochs": 3,
    "patience": 3,
    "batch_size": 8,
    "learning_rate": 3e-3,
    "dropout": 0.1,
    "threads": 1,
}


def pretrained_folder(folder: Path, tokenizer: Path, architecture: str = "modernbert", depth: int = 1) -> Path:
    folder.mkdir()
    torch.manual_seed(3)
    shape = {"architecture": architecture, "depth": depth, "width": None, "max_length": 32}
    section = ModelConfig.model_validate(shape)
    save_checkpoint(build_language_model(section, load_tokenizer(tokenizer), 16), tokenizer, folder)
    write_manifest(folder, "pretrained", {})
    return folder


class Tuner:
    def __init__(self, params: Params, rows: Path, pretrained: Path, folder: Path) -> None:
        self.params, self.rows, self.pretrained, self.folder = params, rows, pretrained, folder

    def __call__(self, name: str, run: RecordedRun, task: TaskConfig = TASK, **changes: Any) -> Metrics:
        config = FinetuneConfig.model_validate({**self.params.finetune.model_dump(), **SMALL, **changes})
        folder = self.folder / name
        trainer, store = self.params.trainer, CheckpointStore(self.folder / ".checkpoints" / name)
        outputs = folder / "teacher", folder / "scratch"
        return finetune(config, task, "places", trainer, 7, self.rows, self.pretrained, *outputs, store, run)


@pytest.fixture
def tune(params: Params, task_rows: Path, tokenizer_folder: Path, tmp_path: Path) -> Tuner:
    return Tuner(params, task_rows, pretrained_folder(tmp_path / "pretrained", tokenizer_folder), tmp_path)


def test_teacher_and_scratch_learn_the_task(tune: Tuner, run: RecordedRun, tmp_path: Path) -> None:
    metrics = tune("first", run, epochs=8)
    for name in ("teacher", "scratch"):
        assert metrics[name]["macro_f1"] > 0.7
        manifest = read_manifest(tmp_path / "first" / name, "classifier")
        assert manifest["labels"] == ["city", "field", "sea"]
        assert (manifest["task"], manifest["max_length"]) == ("places", 16)
    assert any("loss" in values for _, values in run.steps)
    assert any("scratch/loss" in values for _, values in run.steps)


def test_a_second_run_writes_the_same_bytes(tune: Tuner, run: RecordedRun, tmp_path: Path) -> None:
    assert tune("first", run, epochs=2) == tune("second", run, epochs=2)
    for name in ("teacher", "scratch"):
        assert digest(tmp_path / "first" / name) == digest(tmp_path / "second" / name)


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
    """Its rows are learned, its merged weights give its answers, and the control is trained whole."""
    metrics = tune("adapted", run, epochs=8, adapter=adapter, learning_rate=1e-2)
    whole = tune("whole", run, epochs=8, learning_rate=1e-2)
    assert metrics["teacher"]["macro_f1"] > (0.7 if adapter["name"] == "lora" else 0.3)
    assert metrics["scratch"] == whole["scratch"]
    weights = [load_file(tmp_path / name / "teacher" / "model.safetensors") for name in ("adapted", "whole")]
    assert weights[0].keys() == weights[1].keys()
    assert ("merge_difference" in metrics["teacher"]) == (adapter["name"] == "lora")
    pretrained = load_file(tune.pretrained / "model.safetensors")
    kept = torch.equal(weights[0]["model.layers.0.mlp.Wi.weight"], pretrained["model.layers.0.mlp.Wi.weight"])
    assert kept == (adapter["name"] == "frozen")


def test_early_stopping_keeps_the_best_epoch(tune: Tuner, run: RecordedRun) -> None:
    metrics = tune("first", run, epochs=12, patience=1, learning_rate=5e-3)
    scores = [values["macro_f1"] for _, values in run.steps if "macro_f1" in values]
    assert len(scores) < 12
    assert metrics["teacher"]["macro_f1"] == max(scores)
    assert scores.index(max(scores)) + 1 == metrics["teacher"]["best_epoch"]


def test_texts_longer_than_the_model_reads_are_refused(tune: Tuner, run: RecordedRun) -> None:
    with pytest.raises(ParameterError, match=r"tasks.places.max_length 33"):
        tune("first", run, TaskConfig(kind="classification", language="en", max_length=33))


def test_a_missing_checkpoint_is_named(tune: Tuner, run: RecordedRun, tmp_path: Path) -> None:
    tune.pretrained = tmp_path / "nothing"
    with pytest.raises(ArtifactError, match="no pretrained here"):
        tune("first", run)


def test_the_control_without_pretraining_may_be_left_out(tune: Tuner, run: RecordedRun, tmp_path: Path) -> None:
    metrics = tune("first", run, epochs=1, without_pretraining=False)
    assert set(metrics) == {"teacher"}
    assert not any("scratch/loss" in values for _, values in run.steps)
    manifest = read_manifest(tmp_path / "first" / "scratch", "classifier")
    assert manifest["left_out"] == "finetune.without_pretraining"
    assert manifest["files"] == {}


def test_of_several_seeds_the_best_goes_on_and_the_others_stand_beside_it(
    tune: Tuner, run: RecordedRun, tmp_path: Path
) -> None:
    several = tune("several", run, epochs=1, seeds=[5, 7])
    alone = {seed: tune(f"alone {seed}", run, epochs=1, seeds=[seed]) for seed in (5, 7)}
    for name in ("teacher", "scratch"):
        scores = {seed: metrics[name]["macro_f1"] for seed, metrics in alone.items()}
        chosen = max((5, 7), key=lambda seed: scores[seed])
        found = several["seeds"][name]
        assert found["chosen"] == read_manifest(tmp_path / "several" / name, "classifier")["seed"] == chosen
        assert several[name] == alone[chosen][name]
        assert {seed: found["macro_f1"][str(seed)] for seed in (5, 7)} == pytest.approx(scores, abs=1e-6)
        weights = "model.safetensors"
        other = 12 - chosen
        for path, seed in ((Path(name), chosen), (Path(name, "seeds", str(other)), other)):
            assert file_hash(tmp_path / "several" / path / weights) == file_hash(
                tmp_path / f"alone {seed}" / name / weights
            )
    assert alone[7]["teacher"] == tune("the project's", run, epochs=1)["teacher"]
    assert "seeds" not in alone[7]


def test_a_share_of_the_labels_is_what_is_learned_from(tune: Tuner, run: RecordedRun) -> None:
    tune("first", run, epochs=1, label_fraction=0.1, batch_size=4)
    few = max(step for step, values in run.steps if "loss" in values)
    every = len(read_split(tune.rows / "train.jsonl", read_task(tune.rows)))
    assert few == -(-round(every * 0.1) // 4)


def test_few_rows_are_gone_through_until_there_are_steps_enough(tune: Tuner, run: RecordedRun) -> None:
    metrics = tune("first", run, epochs=2, label_fraction=0.1, batch_size=4, min_steps=40)
    assert max(step for step, values in run.steps if "loss" in values) >= 40
    assert len([values for _, values in run.steps if "macro_f1" in values]) == 2
    assert metrics["teacher"]["best_epoch"] in (1, 2)


def test_each_seed_goes_on_from_its_own_checkpoint(tune: Tuner, run: RecordedRun, tmp_path: Path) -> None:
    first = tune("several", run, epochs=1, seeds=[5, 7])
    made = digest(tmp_path / "several" / "teacher")
    assert tune("several", run, epochs=1, seeds=[5, 7]) == first
    assert digest(tmp_path / "several" / "teacher") == made
    went_on = {line.partition(":")[0] for line in run.lines if "going on from step" in line}
    assert went_on == {f"finetune places {name}-{seed}" for name in ("teacher", "scratch") for seed in (5, 7)}
