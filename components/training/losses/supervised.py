"""The loss of the task's own kind, against what its rows should be answered with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from transformers import PreTrainedModel

from components.tasks.rows import LabelShare
from components.training.task_data import TaskData
from components.training.task_objective import TaskObjective, task_objective

if TYPE_CHECKING:
    from components.training.config import FinetuneConfig


def learning(
    model: PreTrainedModel, data: TaskData, config: FinetuneConfig, rows: Path, share: LabelShare
) -> tuple[TaskData, TaskObjective]:
    """The data as they are."""
    return data, task_objective(data, config.label_smoothing)
