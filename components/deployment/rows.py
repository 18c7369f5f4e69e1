"""Labelled rows of a task's split, as rungs of the deployment ladder are compared on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
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
    for number, (text, label) in enumerate(_lines(path), start=1):
        if label not in index:
            raise DataError(
                f"{path}:{number}: label {label!r} is not one of the model's: {', '.join(labels)}",
                "the model was trained for other rows; run `dvc repro`",
            )
        texts.append(text)
        targets.append(index[label])
    if not texts:
        raise DataError(f"{path}: no rows", "a task needs rows in every split")
    return Rows(texts, np.array(targets, dtype=np.int64))


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                yield _row(line, f"{path}:{number}")
    except FileNotFoundError:
        raise DataError(f"{path}: missing", "run `dvc repro curate`") from None


def _row(line: str, where: str) -> tuple[str, str]:
    try:
        row = json.loads(line)
        return row["text"], row["label"]
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{where}: not a row with text and label", "run `dvc checkout` to restore it") from None
