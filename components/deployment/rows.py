"""Labelled rows of a task's split, as rungs of the deployment ladder are compared on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from components.tasks.rows import LabelShare, read_split, read_task
from components.tasks.task import Row, Task, Text, parts


@dataclass(frozen=True)
class Rows:
    """What the model reads of each, and the answer that it should get: the number of its label, or its number."""

    texts: list[Any]
    """Texts, or tuples of several."""
    targets: np.ndarray

    @property
    def every_text(self) -> list[str]:
        """The texts one by one."""
        return [part for text in self.texts for part in parts(text)]


def read_rows(folder: Path, split: str, labels: Sequence[str]) -> Rows:
    """Rows of artifacts/tasks/NAME. Raises DataError for a label the model does not know."""
    task = replace(read_task(folder), labels=tuple(labels))
    return _with_targets(read_split(folder / f"{split}.jsonl", task), task)


def read_learned(folder: Path, labels: Sequence[str], share: LabelShare) -> Rows:
    """The training rows that the model learned from. Raises DataError likewise."""
    task = replace(read_task(folder), labels=tuple(labels))
    return _with_targets(share.read(folder, task), task)


def _with_targets(rows: Sequence[Row], task: Task) -> Rows:
    texts: list[Text] = [task.text(row) for row in rows]
    return Rows(texts, task.targets(rows))
