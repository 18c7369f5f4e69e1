"""The candidate's answers to a task's test rows, as a table that MLflow joins across runs by the row's id."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.artifacts import MANIFEST
from components.tasks.kinds import KINDS, task_kind
from flows.results import Result

TABLE = "predictions.json"
ANSWERING = "candidate"
"""Whose answers `evaluate` keeps, by its name in the metrics: the rung that ships may be another."""


def predictions(root: Path, evaluated: Result) -> dict[str, list[object]] | None:
    """The columns row, model, actual, predicted and right, with no text of a row; None where a task has other answers
    than one for each row, or where the rows are not here. Real numbers are never right: they are more or less so.
    """
    folder = root / "artifacts" / "tasks" / evaluated.task
    rows, manifest = folder / "test.jsonl", folder / MANIFEST
    if evaluated.curves is None or not rows.is_file() or not manifest.is_file():
        return None
    kind = _kind_of_answers(json.loads(manifest.read_text(encoding="utf-8")))
    if kind is None:
        return None
    with rows.open(encoding="utf-8") as lines:
        ids = [json.loads(line).get("id") for line in lines]
    with evaluated.curves.open(encoding="utf-8", newline="") as stream:
        answers = [(line["actual"], line["predicted"]) for line in csv.DictReader(stream)]
    if len(ids) != len(answers):
        return None
    table: dict[str, list[object]] = {
        "row": list(ids),
        "model": [ANSWERING] * len(ids),
        "actual": [actual for actual, _ in answers],
        "predicted": [predicted for _, predicted in answers],
    }
    if kind == "categorical":
        table["right"] = [actual == predicted for actual, predicted in answers]
    return table


def _kind_of_answers(rows: Mapping[str, Any]) -> str | None:
    """`categorical` or `real`, as the manifest of the rows tells; None where a row has not one answer: a label each, a
    word each, a text, or one of the row's own candidates.
    """
    name = rows.get("task_kind", "classification")
    if name not in KINDS:
        return None
    output = task_kind(name).output
    several = output.per_token or output.over_tokens or output.of_candidates
    return None if several or output.kind == "binary" else output.kind
