"""A small pretrained model, and the stages that train on a task from it, with what a test changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from components.artifacts import write_manifest
from components.modeling.architectures import build_language_model
from components.modeling.checkpoints import load_tokenizer, save_checkpoint
from components.modeling.config import ModelConfig
from components.params import Params
from components.run import Metrics, RecordedRun
from components.tasks.config import TaskConfig
from components.training.config import FinetuneConfig
from components.training.finetune import finetune
from components.training.from_scratch import train_from_scratch
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
STAGES: dict[str, Callable[..., Metrics]] = {"teacher": finetune, "scratch": train_from_scratch}
"""Classifier -> the stage that trains it."""


def pretrained_folder(folder: Path, tokenizer: Path, architecture: str = "modernbert", depth: int = 1) -> Path:
    folder.mkdir()
    torch.manual_seed(3)
    shape = {"architecture": architecture, "depth": depth, "width": None, "max_length": 32}
    section = ModelConfig.model_validate(shape)
    save_checkpoint(build_language_model(section, load_tokenizer(tokenizer), 16), tokenizer, folder)
    write_manifest(folder, "pretrained", {})
    return folder


class Tuner:
    """Trains a classifier, by default the teacher, into FOLDER/NAME/CLASSIFIER."""

    def __init__(self, params: Params, rows: Path, pretrained: Path, folder: Path) -> None:
        self.params, self.rows, self.pretrained, self.folder = params, rows, pretrained, folder

    def __call__(
        self, name: str, run: RecordedRun, task: TaskConfig = TASK, classifier: str = "teacher", **changes: Any
    ) -> Metrics:
        config = FinetuneConfig.model_validate({**self.params.finetune.model_dump(), **SMALL, **changes})
        store = CheckpointStore(self.folder / ".checkpoints" / name / classifier)
        paths = self.rows, self.pretrained, self.folder / name / classifier
        return STAGES[classifier](config, task, "places", self.params.trainer, 7, *paths, store, run)
