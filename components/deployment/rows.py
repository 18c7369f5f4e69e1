"""Labelled rows of a task's split, as rungs of the deployment ladder are compared on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.artifacts import read_manifest
from components.tasks.rows import read_split


@dataclass(frozen=True)
class Rows:
    """Texts and the index of each one's label in the model's labels."""

    texts: list[str]
    targets: np.ndarray


def read_rows(folder: Path, split: str, labels: Sequence[str]) -> Rows:
    """Rows of artifacts/tasks/NAME. Raises DataError for a label the model does not know."""
    read_manifest(folder, "task")
    rows = read_split(folder / f"{split}.jsonl", labels)
    places = {label: number for number, label in enumerate(labels)}
    return Rows([text for text, _ in rows], np.array([places[label] for _, label in rows], dtype=np.int64))
