from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.errors import DataError
from components.tasks.classification import Classification
from components.tasks.rows import EVERY_ROW, LabelShare, read_split, read_task
from components.tasks.task import Row

SEA = Classification(("sea",))


def test_rows_are_texts_with_labels_in_the_order_of_the_file(task_rows: Path) -> None:
    rows = read_split(task_rows / "test.jsonl", read_task(task_rows))
    assert rows == [json.loads(line) for line in (task_rows / "test.jsonl").read_text(encoding="utf-8").splitlines()]


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
        read_split(path, SEA)


def test_missing_and_empty_splits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing"):
        read_split(tmp_path / "train.jsonl", SEA)
    (tmp_path / "train.jsonl").touch()
    with pytest.raises(DataError, match="no rows"):
        read_split(tmp_path / "train.jsonl", SEA)


TASK = Classification(("common", "rare"))
ROWS: list[Row] = [
    {"text": f"text {number}", "label": "rare" if number % 50 == 0 else "common"} for number in range(100)
]


def drawn(fraction: float, seed: int = 17, rows: list[Row] = ROWS) -> list[str]:
    return [rows[place]["text"] for place in LabelShare(fraction, seed).places(rows, TASK)]


def test_a_share_has_its_part_of_every_label_and_at_least_one_row() -> None:
    rare = {row["text"] for row in ROWS if row["label"] == "rare"}
    labels = ["rare" if text in rare else "common" for text in drawn(0.1)]
    assert (labels.count("common"), labels.count("rare")) == (10, 1)


def test_a_share_keeps_the_order_and_holds_every_smaller_one() -> None:
    assert set(drawn(0.1)) < set(drawn(0.3)) < set(drawn(1.0))
    assert drawn(0.3) == [text for text in drawn(1.0) if text in set(drawn(0.3))]


def test_a_share_is_the_same_again_and_another_by_another_seed() -> None:
    assert drawn(0.1) == drawn(0.1)
    assert drawn(0.1) != drawn(0.1, seed=18)


def test_a_row_that_comes_moves_few_others() -> None:
    kept = {*drawn(0.2, rows=[{"text": "a new text", "label": "common"}, *ROWS])}
    assert len({*drawn(0.2)} - kept) <= 1


def test_the_whole_share_is_every_row_of_the_file(task_rows: Path) -> None:
    task = read_task(task_rows)
    assert EVERY_ROW.read(task_rows, task) == read_split(task_rows / "train.jsonl", task)
    assert 0 < len(LabelShare(0.1, 17).read(task_rows, task)) < len(EVERY_ROW.read(task_rows, task)) / 5
