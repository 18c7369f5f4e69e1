"""Rows of a labelled task, as training and deployment both read them: no torch, no transformers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.errors import DataError


@dataclass(frozen=True)
class LabelShare:
    """The training rows a task is learned from: this fraction of those of every label, at least one of each.

    The one place where `finetune.label_fraction` is applied: the teacher, the student, the calibration and the baseline
    all learn from these rows. A row's turn comes from its text and the seed alone, so the rows of a smaller share are
    among those of a larger one, and adding rows to the task moves few.
    """

    fraction: float
    seed: int

    def read(self, folder: Path, labels: Sequence[str]) -> list[tuple[str, str]]:
        """(text, label) of the training rows of artifacts/tasks/NAME. Raises DataError as `read_split` does."""
        rows = read_split(folder / "train.jsonl", labels)
        return [rows[place] for place in self.places(rows)]

    def places(self, rows: Sequence[tuple[str, str]]) -> list[int]:
        """Where the rows of the share stand among all, in their order."""
        if self.fraction == 1:
            return list(range(len(rows)))
        of_label: dict[str, list[int]] = {}
        for place, (_, label) in enumerate(rows):
            of_label.setdefault(label, []).append(place)
        kept = []
        for places in of_label.values():
            drawn = sorted(places, key=lambda place: (self._turn(rows[place][0]), place))
            kept += drawn[: max(1, round(self.fraction * len(places)))]
        return sorted(kept)

    def _turn(self, text: str) -> bytes:
        return hashlib.sha256(f"{self.seed}:{text}".encode()).digest()


EVERY_ROW = LabelShare(1.0, 0)


def read_split(path: Path, labels: Sequence[str]) -> list[tuple[str, str]]:
    """(text, label) of every row. Raises DataError naming file and line of a row that does not fit."""
    rows = []
    try:
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                rows.append(_row(line, f"{path}:{number}", labels))
    except FileNotFoundError:
        raise DataError(f"{path}: missing", "run `dvc repro` or `lianzi run` to make it") from None
    if not rows:
        raise DataError(f"{path}: no rows", "a task needs train, validation and test rows")
    return rows


def _row(line: str, where: str, labels: Sequence[str]) -> tuple[str, str]:
    try:
        row = json.loads(line)
        text, label = row["text"], row["label"]
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{where}: not a row with text and label", "run `dvc checkout` to restore it") from None
    if label not in labels:
        raise DataError(f"{where}: label {label!r} is not among the labels", f"known: {', '.join(labels)}")
    return text, label
