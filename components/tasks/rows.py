"""Rows of a labelled task, as training and deployment both read them: no torch, no transformers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from components.errors import DataError


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
