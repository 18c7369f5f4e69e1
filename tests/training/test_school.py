from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from components.modeling.architectures import build_language_model
from components.modeling.checkpoints import load_tokenizer, random_classifier, save_checkpoint
from components.modeling.config import ModelConfig
from components.modeling.pruning import ModelSizes
from components.tasks.config import TaskConfig
from components.tasks.question_answering import LABELS, QuestionAnswering
from components.training.school import PrunedVocabulary, described, select_student_units
from components.training.task_data import TaskData, training_texts

TASK = TaskConfig(kind="classification", language="en", max_length=16)


@pytest.fixture
def teacher(tokenizer_folder: Path, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    section = ModelConfig(architecture="modernbert", depth=1, width=64, max_length=32)
    model = build_language_model(section, load_tokenizer(tokenizer_folder), 16)
    save_checkpoint(model, tokenizer_folder, tmp_path / "teacher")
    return tmp_path / "teacher"


def test_a_student_is_told_by_its_size_and_keeps_as_many_units_as_it_has(teacher: Path, task_rows: Path) -> None:
    data = TaskData.read(task_rows, TASK, load_tokenizer(teacher))
    model = random_classifier(teacher, data.task.labels, 0.0).eval()
    assert described(model) == f"1 layer, 64 wide, {len(data.tokenizer)} tokens"
    wanted = ModelSizes(width=64, neurons=64, heads=1)
    assert select_student_units(model, data, wanted).sizes(model.config) == wanted


def test_a_vocabulary_is_pruned_of_what_is_rare_in_the_training_rows(
    teacher: Path, task_rows: Path, tmp_path: Path
) -> None:
    data, texts = TaskData.read(task_rows, TASK, load_tokenizer(teacher)), training_texts(task_rows)

    def encoded(folder: Path) -> TaskData:
        return TaskData.read(task_rows, TASK, load_tokenizer(folder))

    whole = PrunedVocabulary.of(0, texts, data, teacher, tmp_path, encoded)
    assert (whole.tokenizer, whole.kept, whole.data) == (teacher, [], data)
    pruned = PrunedVocabulary.of(60, texts, data, teacher, tmp_path, encoded)
    assert len(pruned.kept) == len(pruned.data.tokenizer) < len(data.tokenizer)


def test_words_at_the_end_of_a_long_context_stay(teacher: Path, task_rows: Path, tmp_path: Path) -> None:
    """It is read in windows, where another text is cut."""
    tokenizer = load_tokenizer(teacher)
    data = TaskData.read(task_rows, TASK, tokenizer)
    asked = replace(data, task=QuestionAnswering(LABELS))
    last = max(tokenizer(" whale", add_special_tokens=False)["input_ids"])
    texts = ["ship wave" + " ship" * TASK.max_length + " whale"] * 2
    kept = [PrunedVocabulary.of(2, texts, one, teacher, tmp_path, lambda _: data).kept for one in (data, asked)]
    assert [last in one for one in kept] == [False, True]
