"""What fine-tuning minimises: a file a loss, chosen by `finetune.loss.name`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import PreTrainedModel

from components.tasks.rows import LabelShare
from components.training.task_data import TaskData
from components.training.task_objective import TaskObjective

if TYPE_CHECKING:
    from components.training.config import FinetuneConfig


def learning(
    model: PreTrainedModel, data: TaskData, config: FinetuneConfig, rows: Path, share: LabelShare
) -> tuple[TaskData, TaskObjective]:
    """What a model is to learn from, and by which objective.

    `model` is as the training begins with it; `rows`: the task's artifact, `share`: of its training rows. Raises
    DataError where rows lack what the loss reads.
    """
    name = config.loss.name
    module = import_module(f"components.training.losses.{name}")
    found: tuple[TaskData, TaskObjective] = module.learning(model, data, config, rows, share)
    return found
