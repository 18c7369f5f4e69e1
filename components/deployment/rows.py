"""Labelled rows of a task's split, as rungs of the deployment ladder are compared on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.artifacts import read_manifest
from components.errors import DataError


@dataclass(frozen=True)
class Rows:
    """Texts and the index of each one's label in the model's labels."""

    texts: list[str]
    targets: np.ndarray


def read_rows(folder: Path, split: str, labels: Sequence[str]) -> Rows:
    """Rows of artifacts/tasks/NAME. Raises DataError for a label the model does not know."""
    read_manifest(folder, "task")
    path = folder / f"{split}.jsonl"
    index = {label: number for number, label in enumerate(labels)}
    texts, targets = [], []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: missing", "run `dvc repro curate`") from None
    for number, line in enumerate(lines, start=1):
        row = json.loads(line)
        if row["label"] not in index:
            raise DataError(
                f"{path}:{number}: label {row['label']!r} is not one of the model's: {', '.join(labels)}",
                "the model was trained for other rows; run `dvc repro`",
            )
        texts.append(row["text"])
        targets.append(index[row["label"]])
    if not texts:
        raise DataError(f"{path}: no rows", "a task needs rows in every split")
    return Rows(texts, np.array(targets, dtype=np.int64))
