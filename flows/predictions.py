"""The answers of an evaluated task to its test rows, as a table that MLflow joins across runs by the row's id."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from flows.results import Result

TABLE = "predictions.json"


def predictions(root: Path, evaluated: Result) -> dict[str, list[object]] | None:
    """The columns row, actual, predicted and right, with no text of a row; None where a task has other answers than one
    for each row, or where the rows are not here.
    """
    rows = root / "artifacts" / "tasks" / evaluated.task / "test.jsonl"
    if evaluated.curves is None or not rows.is_file():
        return None
    with rows.open(encoding="utf-8") as lines:
        ids = [json.loads(line).get("id") for line in lines]
    with evaluated.curves.open(encoding="utf-8", newline="") as stream:
        answers = [(line["actual"], line["predicted"]) for line in csv.DictReader(stream)]
    if len(ids) != len(answers):
        return None
    return {
        "row": list(ids),
        "actual": [actual for actual, _ in answers],
        "predicted": [predicted for _, predicted in answers],
        "right": [actual == predicted for actual, predicted in answers],
    }
