"""Two files side by side are rows of a text and its target."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.corpus.labelled import check_task, curate_task
from components.corpus.parallel import read_rows
from components.corpus.removals import Removals
from components.errors import DataError
from components.tasks.config import TaskConfig

CONFIG = TaskConfig(kind="translation", language="en", max_length=16)


def written(folder: Path, **sides: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        for side, text in sides.items():
            (folder / f"{split}.{side}").write_text(text.replace("{}", split), encoding="utf-8")
    return folder


def test_a_line_is_answered_by_the_same_line_of_the_other_file(tmp_path: Path) -> None:
    folder = written(tmp_path / "dates", source="the {} sea\nthe {} ship\n", target="海\n船\n")
    rows = [(record.place, record.fields) for record in read_rows(folder / "train.source")]
    assert rows[1] == (f"{folder}/train.source:2", {"text": "the train ship\n", "target": "船\n"})
    check_task(CONFIG, folder)
    found = curate_task(CONFIG, folder, tmp_path, tmp_path / "out", Removals())
    assert found.kept == {"test": 2, "validation": 2, "train": 2}


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        ("a {}\nb {}\n", "海\n", r"test\.source:2: test\.target ends before this line\nline N of test\.target is the "),
        ("a {}\n", "海\n船\n", r"test\.target:2: test\.source ends before this line"),
        ("a {}\n", "\n", r"test\.source:1: the target is empty"),
    ],
)
def test_files_of_unequal_length_are_refused(tmp_path: Path, source: str, target: str, told: str) -> None:
    folder = written(tmp_path / "dates", source=source, target=target)
    with pytest.raises(DataError, match=told):
        curate_task(CONFIG, folder, tmp_path, tmp_path / "out", Removals())


def test_two_files_of_other_names_are_told_how_to_be_called(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"test\.en and test\.zh both claim .*\nkeep one of them; .*test\.source"):
        check_task(CONFIG, written(tmp_path / "dates", en="a", zh="海"))
