"""Labelled rows of a task's split, as rungs of the deployment ladder are compared on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.artifacts import read_manifest
from components.tasks.rows import LabelShare, read_split


@dataclass(frozen=True)
class Rows:
    """Texts and the index of each one's label in the model's labels."""

    texts: list[str]
    targets: np.ndarray


def read_rows(folder: Path, split: str, labels: Sequence[str]) -> Rows:
    """Rows of artifacts/tasks/NAME. Raises DataError for a label the model does not know."""
    read_manifest(folder, "task")
    return _numbered(read_split(folder / f"{split}.jsonl", labels), labels)


def read_learned(folder: Path, labels: Sequence[str], share: LabelShare) -> Rows:
    """The training rows that the model learned from. Raises DataError likewise."""
    read_manifest(folder, "task")
    return _numbered(share.read(folder, labels), labels)


def _numbered(rows: Sequence[tuple[str, str]], labels: Sequence[str]) -> Rows:
    places = {label: number for number, label in enumerate(labels)}
    return Rows([text for text, _ in rows], np.array([places[label] for _, label in rows], dtype=np.int64))
