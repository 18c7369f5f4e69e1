"""What tests of several training modules share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from components.modeling.checkpoints import load_tokenizer
from components.params import Params
from components.tasks.config import TaskConfig
from components.tasks.token_classification import TokenClassification
from components.training.task_data import TaskData, encode
from tests.small_tuning import Tuner, pretrained_folder

TASK = TaskConfig(kind="classification", language="en", max_length=10)
TAGGER = TokenClassification(("O", "B-SEA", "I-SEA"))


@pytest.fixture
def tune(params: Params, task_rows: Path, tokenizer_folder: Path, tmp_path: Path) -> Tuner:
    return Tuner(params, task_rows, pretrained_folder(tmp_path / "pretrained", tokenizer_folder), tmp_path)


@pytest.fixture
def data(task_rows: Path, tokenizer_folder: Path) -> TaskData:
    return TaskData.read(task_rows, TASK, load_tokenizer(tokenizer_folder))


@pytest.fixture
def tagged(data: TaskData, tokenizer_folder: Path) -> TaskData:
    rows = [
        {"text": "ship of wave", "tags": ["B-SEA", "O", "B-SEA"]},
        {"text": "tower", "tags": ["O"]},
        {"text": "harbour " * 20, "tags": ["B-SEA"] * 20},
    ]
    examples = encode(TAGGER, rows, load_tokenizer(tokenizer_folder), 10)
    return replace(data, task=TAGGER, train=examples, validation=examples)
