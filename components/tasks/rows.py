"""Rows of a labelled task, as training and deployment both read them: no torch, no transformers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.artifacts import read_manifest
from components.errors import DataError
from components.tasks.kinds import task_of
from components.tasks.task import Row, Task, parts


@dataclass(frozen=True)
class LabelShare:
    """The training rows a task is learned from: this fraction of those of every stratum (a label's rows), at least one.

    The one place where `finetune.label_fraction` is applied: the teacher, the student, the calibration and the baseline
    all learn from these rows. A row's turn comes from its text and the seed alone, so the rows of a smaller share are
    among those of a larger one, and adding rows to the task moves few.
    """

    fraction: float
    seed: int

    def read(self, folder: Path, task: Task) -> list[Row]:
        """The training rows of artifacts/tasks/NAME. Raises DataError as `read_split` does."""
        rows = read_split(folder / "train.jsonl", task)
        return [rows[place] for place in self.places(rows, task)]

    def places(self, rows: Sequence[Row], task: Task) -> list[int]:
        """Where the rows of the share stand among all, in their order."""
        if self.fraction == 1:
            return list(range(len(rows)))
        strata: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            strata.setdefault(task.stratum(row), []).append(place)
        kept = []
        for places in strata.values():
            drawn = sorted(places, key=lambda place: (self._turn("\n".join(parts(task.text(rows[place])))), place))
            kept += drawn[: max(1, round(self.fraction * len(places)))]
        return sorted(kept)

    def _turn(self, text: str) -> bytes:
        return hashlib.sha256(f"{self.seed}:{text}".encode()).digest()


EVERY_ROW = LabelShare(1.0, 0)


def read_task(folder: Path) -> Task:
    """The task whose rows stand in artifacts/tasks/NAME. Raises ArtifactError where there is none."""
    return task_of(read_manifest(folder, "task"))


def read_split(path: Path, task: Task) -> list[Row]:
    """Every row of a split. Raises DataError naming file and line of a row that does not fit the task."""
    rows = []
    try:
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                rows.append(_row(line, f"{path}:{number}", task))
    except FileNotFoundError:
        raise DataError(f"{path}: missing", "run `dvc repro` or `lianzi run` to make it") from None
    if not rows:
        raise DataError(f"{path}: no rows", "a task needs train, validation and test rows")
    return rows


def _row(line: str, where: str, task: Task) -> Row:
    try:
        row: Row = json.loads(line)
        missing = [column for column in task.row_columns if column not in row]
    except (ValueError, TypeError):
        missing = list(task.row_columns)
    if missing:
        told = " and ".join(task.row_columns)
        raise DataError(f"{where}: not a row with {told}", "run `dvc checkout` to restore it")
    try:
        task.check_row(row)
    except ValueError as error:
        raise DataError(f"{where}: {error}", f"expected {task.expected}") from None
    return row
