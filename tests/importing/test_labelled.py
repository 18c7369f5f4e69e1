"""Data sets as rows of a task: three splits, labels by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Sequence, Value

from cli.import_rows import import_rows
from components.corpus.labelled import curate_task
from components.corpus.removals import Removals
from components.errors import DataError, LianziError
from components.importing.labelled import labelled_rows, renamed, task_splits
from components.tasks.config import TaskConfig

PAIRS = Features({"premise": Value("string"), "hypothesis": Value("string"), "label": ClassLabel(names=["yes", "no"])})
TAGS = Features({"tokens": Sequence(Value("string")), "ner_tags": Sequence(ClassLabel(names=["O", "B-LOC"]))})


def pairs(*labels: int) -> Dataset:
    rows = {"premise": [f"a {n}" for n in labels], "hypothesis": ["b"] * len(labels), "label": [*labels]}
    return Dataset.from_dict(rows, features=PAIRS)


def test_labels_have_their_names_and_columns_the_tasks() -> None:
    columns = renamed(("text=premise", "text_pair=hypothesis"))
    assert list(labelled_rows("nli", "train", pairs(1), columns)) == [{"text": "a 1", "text_pair": "b", "label": "no"}]
    tagged = Dataset.from_dict({"tokens": [["In", "Accra"]], "ner_tags": [[0, 1]]}, features=TAGS)
    assert list(labelled_rows("ner", "train", tagged, {})) == [{"tokens": ["In", "Accra"], "ner_tags": ["O", "B-LOC"]}]


@pytest.mark.parametrize(
    ("labels", "columns", "told"),
    [
        ([0, -1], {}, "nli: test: row 2 has no label\ntake a split that has labels"),
        ([0], {"text": "sentence"}, "nli: test: no column 'sentence'\nits columns: premise, hypothesis, label"),
    ],
)
def test_what_is_no_labelled_row_is_refused(labels: list[int], columns: dict[str, str], told: str) -> None:
    with pytest.raises(DataError, match=told):
        list(labelled_rows("nli", "test", pairs(*labels), columns))


def test_a_split_that_is_missing_is_named() -> None:
    with pytest.raises(
        DataError, match="no split for validation; it has train, test\ndivide one with train_test_split"
    ):
        task_splits("nli", {"train": pairs(0), "test": pairs(0)})
    assert set(task_splits("nli", {"train": 1, "dev": 2, "test": 3})) == {"train", "validation", "test"}


def test_a_saved_data_set_becomes_a_task(tmp_path: Path, root: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((root / "params.yaml").read_bytes())
    (tmp_path / "data").mkdir()
    saved = tmp_path / "saved"
    tags: dict[str, Any] = {"ner_tags": [[0, 1], [1, 0]]}
    splits = {
        split: Dataset.from_dict({"tokens": [[split, "Accra"], ["Lagos", split]], **tags}, features=TAGS)
        for split in ("train", "validation", "test")
    }
    DatasetDict(splits).save_to_disk(str(saved))
    lines = import_rows(tmp_path, str(saved), "places", None, (), False)
    assert lines[0] == "data/tasks/places/train.jsonl.zst: 2 rows"
    config = TaskConfig(kind="token_classification", language="en", max_length=16)
    rows = tmp_path / "data" / "tasks" / "places"
    assert curate_task(config, rows, tmp_path / "data", tmp_path / "out", Removals()).kept["train"] == 2
    assert json.loads((rows / "imported.json").read_text())["source"] == str(saved)
    with pytest.raises(LianziError, match="has rows already\n--replace"):
        import_rows(tmp_path, str(saved), "places", None, (), False)
    with pytest.raises(LianziError, match="expected COLUMN=ITS_NAME"):
        import_rows(tmp_path, str(saved), "places", None, ("text",), True)
