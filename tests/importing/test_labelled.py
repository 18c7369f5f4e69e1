"""Data sets as rows of a task: three splits, labels by name."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Dataset, Features, Sequence, Value

from components.errors import DataError
from components.importing.labelled import labelled_rows, renamed, task_splits

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
