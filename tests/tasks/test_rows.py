from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.errors import DataError
from components.tasks.rows import read_split


def test_rows_are_texts_with_labels_in_the_order_of_the_file(task_rows: Path) -> None:
    rows = read_split(task_rows / "test.jsonl", ["city", "field", "sea"])
    lines = (task_rows / "test.jsonl").read_text(encoding="utf-8").splitlines()
    assert rows == [(json.loads(line)["text"], json.loads(line)["label"]) for line in lines]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"train.jsonl:2: not a row"),
        ('{"text": "a"}', r"train.jsonl:2: not a row"),
        ('{"text": "a", "label": "green"}', r"train.jsonl:2: label 'green' is not among"),
    ],
)
def test_a_broken_row_is_named_by_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps({"text": "ship", "label": "sea"}) + "\n" + line + "\n")
    with pytest.raises(DataError, match=message):
        read_split(path, ["sea"])


def test_missing_and_empty_splits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing"):
        read_split(tmp_path / "train.jsonl", ["sea"])
    (tmp_path / "train.jsonl").touch()
    with pytest.raises(DataError, match="no rows"):
        read_split(tmp_path / "train.jsonl", ["sea"])
