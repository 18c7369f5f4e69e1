"""The answers that a student learns: a file for each choice of `distill.targets.name`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import PreTrainedModel

from components.run import Run
from components.tasks.rows import LabelShare
from components.training.task_data import TaskData

if TYPE_CHECKING:
    from components.training.config import DistillConfig

TEACHER_OUTPUTS = "teacher_outputs.jsonl"
"""In a student's folder: the rows that it learned, where its teacher wrote their answers."""


def answered(
    teacher: PreTrainedModel,
    data: TaskData,
    config: DistillConfig,
    rows: Path,
    share: LabelShare,
    cache: Path,
    label: str,
    run: Run,
) -> tuple[TaskData, dict[str, Path]]:
    """The task with the answers that its training rows are to have, and files to keep beside the student.

    `rows`: the task's artifact, `share`: of its training rows; `cache`: a folder that outlives an interruption. Raises
    DataError where the rows leave nothing to answer.
    """
    name = config.targets.name
    module = import_module(f"components.training.targets.{name}")
    found: tuple[TaskData, dict[str, Path]] = module.answered(teacher, data, config, rows, share, cache, label, run)
    return found
