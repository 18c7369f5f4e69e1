from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components.deployment.rows import read_rows
from components.errors import ArtifactError, DataError

LABELS = ["city", "field", "sea"]


def test_rows_come_with_the_numbers_of_their_labels(task_rows: Path) -> None:
    rows = read_rows(task_rows, "test", LABELS)
    assert len(rows.texts) == len(rows.targets) == 60
    assert set(rows.targets.tolist()) == {0, 1, 2}


def test_a_label_the_model_does_not_know_is_told_with_its_line(task_rows: Path) -> None:
    with pytest.raises(DataError, match=r"test\.jsonl:\d+: label 'sea' is not among the labels"):
        read_rows(task_rows, "test", ["city", "field"])


def test_rows_that_are_missing_or_empty_are_refused(task_rows: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(task_rows, tmp_path / "task"))
    (folder / "test.jsonl").write_text("")
    with pytest.raises(DataError, match=r"test\.jsonl: no rows"):
        read_rows(folder, "test", LABELS)
    (folder / "test.jsonl").unlink()
    with pytest.raises(DataError, match=r"test\.jsonl: missing"):
        read_rows(folder, "test", LABELS)
    with pytest.raises(ArtifactError, match="no task here"):
        read_rows(tmp_path, "test", LABELS)


def test_a_line_that_is_no_row_is_named(task_rows: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(task_rows, tmp_path / "task"))
    with (folder / "test.jsonl").open("a") as stream:
        stream.write('{"text": "cut sh')
    with pytest.raises(DataError, match=r"test\.jsonl:61: not a row with text and label"):
        read_rows(folder, "test", LABELS)
