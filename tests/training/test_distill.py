import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from components.artifacts import digest, file_hash, read_manifest, write_manifest
from components.modeling.architectures import build_language_model
from components.modeling.checkpoints import load_tokenizer, random_classifier, save_checkpoint
from components.modeling.config import ModelConfig
from components.params import Params
from components.run import Metrics, RecordedRun
from components.tasks.config import TaskConfig
from components.tasks.rows import read_split
from components.training.config import DistillConfig
from components.training.distill import agreement, distill
from components.training.store import CheckpointStore
from components.training.task_data import TaskData, training_texts
from components.training.task_objective import TaskObjective
from components.training.task_training import learn_task, task_schedule

TASK = TaskConfig(kind="classification", language="en", max_length=16)
SMALL = {
    "min_steps": 1,
    "epochs": 4,
    "patience": 4,
    "batch_size": 16,
    "learning_rate": 6e-3,
    "dropout": 0.0,
    "threads": 1,
}
ANY_LOSS = {"max_loss": 1.0}
HARMFUL = {"learning_rate": 0.5, "epochs": 1, "max_loss": 0.0}
"""A training after which a student answers worse than its teacher."""
RELATIONS = {"name": "attention_relations", "weight": 1.0, "relations": ["query-query", "value-value"], "heads": 2}
WHOLE = {"depth_fraction": 1.0, "width_fraction": 1.0, "ffn_fraction": 1.0, "min_token_count": 0}


@pytest.fixture(scope="session")
def teacher_folder(
    params: Params, task_rows: Path, tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A teacher of two layers that has learned its task."""
    folder = tmp_path_factory.mktemp("teacher")
    tokenizer = load_tokenizer(tokenizer_folder)
    torch.manual_seed(3)
    section = ModelConfig.model_validate({"architecture": "modernbert", "depth": 2, "width": None, "max_length": 32})
    save_checkpoint(build_language_model(section, tokenizer, 16), tokenizer_folder, folder)
    data = TaskData.read(task_rows, TASK, tokenizer)
    model = random_classifier(folder, data.task.labels, 0.0)
    config = DistillConfig.model_validate({**params.distill.model_dump(), **SMALL, "token_masking": 0.0})
    schedule, store = task_schedule(data, config, "teacher", ""), CheckpointStore(folder.with_name("checkpoints"))
    objective = TaskObjective(data.task)
    learn_task(model, objective, data, config, params.trainer, 1, schedule, store, RecordedRun())
    save_checkpoint(model, tokenizer_folder, folder)
    write_manifest(folder, "classifier", {}, task="places", labels=list(data.task.labels), max_length=16)
    return folder


def shrink(params: Params, rows: Path, teacher: Path, student: Path, run: RecordedRun, **changes: Any) -> Metrics:
    known = {**params.distill.model_dump(), **SMALL, **ANY_LOSS, "depth_fraction": 0.5, "count_words": False}
    config = DistillConfig.model_validate({**known, **changes})
    store = CheckpointStore(student.with_name(f"{student.name}-checkpoints"))
    return distill(config, TASK, "places", params.trainer, 7, rows, teacher, student, store, run)


def test_a_student_of_half_the_depth_answers_like_its_teacher(
    params: Params, task_rows: Path, teacher_folder: Path, tmp_path: Path, run: RecordedRun
) -> None:
    metrics = shrink(params, task_rows, teacher_folder, tmp_path / "student", run)
    assert metrics["layers"] == 1
    assert metrics["agreement"] > 0.8
    assert metrics["macro_f1"] > 0.7
    manifest = read_manifest(tmp_path / "student", "classifier")
    assert set(manifest["made_from"]) == {"rows", "teacher"}
    again = shrink(params, task_rows, teacher_folder, tmp_path / "again", run)
    assert again == metrics
    assert digest(tmp_path / "student") == digest(tmp_path / "again")


def test_a_trimmed_student_answers_training_texts_as_the_whole_one(
    params: Params, task_rows: Path, teacher_folder: Path, tmp_path: Path, run: RecordedRun
) -> None:
    rows = tmp_path / "rows"
    shutil.copytree(task_rows, rows)
    lines = (rows / "train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (rows / "train.jsonl").write_text("".join(line for line in lines if "whale" not in line), encoding="utf-8")
    whole = shrink(params, rows, teacher_folder, tmp_path / "whole", run, epochs=1, min_token_count=0)
    own = shrink(params, rows, teacher_folder, tmp_path / "own", run, epochs=1, min_token_count=1)
    assert own["vocabulary"] < whole["vocabulary"] == len(load_tokenizer(teacher_folder))
    assert digest(tmp_path / "whole" / "tokenizer.json") == digest(teacher_folder / "tokenizer.json")
    texts = training_texts(rows)
    assert torch.equal(logits(tmp_path / "own", texts), logits(tmp_path / "whole", texts))


@pytest.mark.parametrize(("width", "neurons"), [(1.0, 1.0), (1.0, 0.5), (0.5, 0.5)])
def test_a_narrower_student_learns_to_answer_like_its_teacher(
    width: float,
    neurons: float,
    params: Params,
    task_rows: Path,
    teacher_folder: Path,
    tmp_path: Path,
    run: RecordedRun,
) -> None:
    shares = {"width_fraction": width, "ffn_fraction": neurons}
    metrics = shrink(params, task_rows, teacher_folder, tmp_path / "own", run, **shares)
    config = AutoModelForSequenceClassification.from_pretrained(tmp_path / "own").config
    assert (config.hidden_size, config.intermediate_size) == (128 * width, 320 * neurons)
    assert metrics["macro_f1"] > 0.7


def test_counting_words_teaches_too_where_it_adds_to_the_teacher(
    params: Params, task_rows: Path, tokenizer_folder: Path, tmp_path: Path, run: RecordedRun
) -> None:
    """A teacher that has learned nothing: whatever is right comes from the words."""
    section = ModelConfig.model_validate({"architecture": "modernbert", "depth": 2, "width": None, "max_length": 32})
    teacher = tmp_path / "teacher"
    save_checkpoint(build_language_model(section, load_tokenizer(tokenizer_folder), 16), tokenizer_folder, teacher)
    labels = read_manifest(task_rows, "task")["labels"]
    save_checkpoint(random_classifier(teacher, labels, 0.0), tokenizer_folder, teacher)
    write_manifest(teacher, "classifier", {}, task="places", labels=labels, max_length=16)
    metrics = shrink(params, task_rows, teacher, tmp_path / "own", run, count_words=True, soft_weight=1.0)
    assert metrics["word_count_share"] == 0.75
    assert run.lines[0] == "distill places: counting words has 75% of the soft labels"
    assert metrics["macro_f1"] > metrics["teacher_macro_f1"]


def test_students_that_lose_too_much_are_followed_by_larger_ones_and_at_last_by_the_teacher(
    params: Params, task_rows: Path, teacher_folder: Path, tmp_path: Path, run: RecordedRun
) -> None:
    metrics = shrink(params, task_rows, teacher_folder, tmp_path / "own", run, **HARMFUL)
    assert list(metrics["refused"]) == ["asked", "halfway"]
    assert all(score["macro_f1"] < metrics["macro_f1"] for score in metrics["refused"].values())
    assert (metrics["teacher_goes_on"], metrics["layers"], metrics["agreement"]) == (1, 2, 1)
    assert metrics["macro_f1"] == metrics["teacher_macro_f1"]
    same = [file_hash(folder / "model.safetensors") for folder in (tmp_path / "own", teacher_folder)]
    assert same[0] == same[1]
    first, second, last = (line for line in run.lines if "student" in line)
    assert first.startswith("distill places: the student asked (1 layer, 64 wide")
    assert first.endswith("below its teacher; distill.max_loss allows 0; next: halfway")
    assert second.endswith("next: the teacher itself")
    assert last.startswith("distill places: the teacher itself goes on as the student (2 layers, 128 wide")
    assert "asked by 0." in last
    assert last == f"distill places: {read_manifest(tmp_path / 'own', 'classifier')['distillation']}"
    assert {"loss", "halfway/loss"} <= {name for _, values in run.steps for name in values}


def test_a_larger_student_that_keeps_enough_goes_on(
    params: Params, task_rows: Path, teacher_folder: Path, tmp_path: Path, run: RecordedRun
) -> None:
    """The tokens that one student lacks another has: its own vocabulary is whole."""
    changes = {**WHOLE, "ffn_fraction": 0.5, "min_token_count": 100_000, "max_loss": 0.1}
    metrics = shrink(params, task_rows, teacher_folder, tmp_path / "own", run, **changes)
    assert list(metrics["refused"]) == ["asked"]
    assert metrics["teacher_goes_on"] == 0
    assert metrics["vocabulary"] == len(load_tokenizer(teacher_folder))
    assert metrics["teacher_macro_f1"] - metrics["macro_f1"] <= 0.1
    config = AutoModelForSequenceClassification.from_pretrained(tmp_path / "own").config
    assert config.intermediate_size == 240
    assert "the student halfway (2 layers, 128 wide" in read_manifest(tmp_path / "own", "classifier")["distillation"]


def test_where_a_whole_student_is_asked_for_the_teacher_goes_on_untrained(
    params: Params, task_rows: Path, teacher_folder: Path, tmp_path: Path, run: RecordedRun
) -> None:
    metrics = shrink(params, task_rows, teacher_folder, tmp_path / "own", run, **WHOLE)
    assert metrics["refused"] == {}
    assert (metrics["teacher_goes_on"], metrics["best_epoch"], metrics["agreement"]) == (1, 0, 1)
    assert [step for step, _ in run.steps] == [0]
    assert run.lines[0].endswith("the student asked for is as large as its teacher")
    texts = training_texts(task_rows)
    assert torch.equal(logits(tmp_path / "own", texts), logits(teacher_folder, texts))


def test_a_whole_student_is_trained_where_it_has_to_bear_rounding(
    params: Params, task_rows: Path, teacher_folder: Path, tmp_path: Path, run: RecordedRun
) -> None:
    metrics = shrink(
        params, task_rows, teacher_folder, tmp_path / "own", run, **WHOLE, quantization_aware=0.5, epochs=1
    )
    assert metrics["teacher_goes_on"] == 0
    assert metrics["best_epoch"] == 1


def test_a_student_of_another_architecture_learns_from_its_teachers_answers_and_relations(
    params: Params, task_rows: Path, teacher_folder: Path, tmp_path: Path, run: RecordedRun
) -> None:
    changes = {**WHOLE, "architecture": "electra", "features": RELATIONS, "width_fraction": 0.5, "min_token_count": 60}
    changes |= {"learning_rate": 2e-3, "epochs": 8, "patience": 8}
    metrics = shrink(params, task_rows, teacher_folder, tmp_path / "own", run, **changes)
    config = AutoModelForSequenceClassification.from_pretrained(tmp_path / "own").config
    assert (config.model_type, config.num_hidden_layers, config.hidden_size) == ("electra", 2, 64)
    assert config.vocab_size == metrics["vocabulary"] < len(load_tokenizer(teacher_folder))
    assert metrics["teacher_goes_on"] == 0
    losses = [values["loss"] for _, values in run.steps if "loss" in values]
    assert losses[-1] < losses[0]


@torch.no_grad()
def logits(folder: Path, texts: list[str]) -> torch.Tensor:
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    read = load_tokenizer(folder)(texts, truncation=True, max_length=16, padding=True, return_tensors="pt")
    return model(**read).logits


def test_the_metrics_are_those_of_the_trimmed_student(
    params: Params, task_rows: Path, teacher_folder: Path, tmp_path: Path, run: RecordedRun
) -> None:
    metrics = shrink(params, task_rows, teacher_folder, tmp_path / "own", run, epochs=1, min_token_count=60)
    data = TaskData.read(task_rows, TASK, load_tokenizer(tmp_path / "own"))
    found = logits(tmp_path / "own", [row["text"] for row in read_split(task_rows / "validation.jsonl", data.task)])
    measured = data.task.scores(data.validation.targets.numpy(), data.task.decode(found.numpy()))
    assert {name: metrics[name] for name in measured} == pytest.approx(measured)


def test_a_model_agrees_with_itself(task_rows: Path, teacher_folder: Path) -> None:
    data = TaskData.read(task_rows, TASK, load_tokenizer(teacher_folder))
    model = AutoModelForSequenceClassification.from_pretrained(teacher_folder).eval()
    assert agreement(model, model, data, data) == 1
