"""What a suite looks at: the rows as they are, and what was found out about them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from components.errors import ArtifactError
from components.validation import tables as module
from components.validation.tables import CORPUS_COLUMNS, CORPUS_MEASURED, TASK_COLUMNS, TASK_MEASURED, measured_tables

if TYPE_CHECKING:
    from conftest import Curated

    from components.tasks.config import TaskConfig
    from components.validation.tables import Table

Tasks = dict[str, "TaskConfig"]
Open = Callable[[], dict[str, "Table"]]


@pytest.fixture
def opened(curated: Curated, tasks: Tasks) -> Iterator[Open]:
    with ExitStack() as stack:

        def write_and_open() -> dict[str, Table]:
            curated.write()
            folder = curated.folder
            found = stack.enter_context(
                measured_tables(folder / "corpus", folder / "tasks", tasks, folder / ".measured")
            )
            return {table.name: table for table in found}

        yield write_and_open


def column(table: Table, name: str) -> list[Any]:
    rows = table.database.execute(f'SELECT "{name}" FROM {table.view} ORDER BY row').fetchall()
    return [value for (value,) in rows]


def test_corpus_table_holds_both_splits_and_what_was_measured(opened: Open, curated: Curated) -> None:
    corpus = opened()["corpus"]
    assert (corpus.rows, corpus.columns) == (41, (*CORPUS_COLUMNS, *CORPUS_MEASURED))
    assert column(corpus, "id") == [row["id"] for split in ("train", "validation") for row in curated.corpus[split]]
    assert set(column(corpus, "script_fits")) == {True}
    assert set(column(corpus, "held_out_in")) == {None}


def test_texts_of_held_out_rows_are_recognised_in_the_corpus(opened: Open, curated: Curated) -> None:
    curated.corpus["train"][2]["text"] = "test row 7"
    curated.corpus["train"][3]["text"] = "train row 7"
    curated.corpus["validation"][1]["text"] = "validation row 7"
    found = column(opened()["corpus"], "held_out_in")
    assert {number: place for number, place in enumerate(found) if place} == {2: "colour/test", 37: "colour/validation"}


def test_validation_documents_are_recognised_in_the_train_split_alone(opened: Open, curated: Curated) -> None:
    curated.corpus["train"][2]["text"] = curated.corpus["validation"][0]["text"]
    found = column(opened()["corpus"], "held_out_in")
    assert {number: place for number, place in enumerate(found) if place} == {2: "corpus/validation"}


def test_each_split_is_compared_with_those_held_out_from_it(opened: Open, curated: Curated) -> None:
    curated.task["train"][0]["text"] = "validation row 1"
    curated.task["validation"][0]["text"] = "test row 1"
    tables = opened()
    found = {split: column(tables[f"colour_{split}"], "held_out_in") for split in ("test", "validation", "train")}
    assert {split: [place for place in places if place] for split, places in found.items()} == {
        "test": [],
        "validation": ["colour/test"],
        "train": ["colour/validation"],
    }


def test_a_text_with_two_labels_is_known_in_every_split_it_stands_in(opened: Open, curated: Curated) -> None:
    curated.task["train"][0] |= {"text": "the same", "label": "a"}
    curated.task["train"][1] |= {"text": "the same", "label": "a"}
    curated.task["test"][0] |= {"text": "the same", "label": "b"}
    tables = opened()
    assert column(tables["colour_train"], "other_label")[:3] == ["b", "b", None]
    assert column(tables["colour_test"], "other_label")[:2] == ["a", None]


def test_label_share_is_that_of_the_rows_own_label(opened: Open, curated: Curated) -> None:
    curated.task["train"] = curated.task["train"][:2] + [row | {"label": "a"} for row in curated.task["train"][2:]]
    train = opened()["colour_train"]
    assert dict(zip(column(train, "label"), column(train, "label_share"), strict=True)) == {"a": 0.95, "b": 0.05}


def test_a_column_too_many_stays_to_be_seen_and_a_missing_one_is_missed(opened: Open, curated: Curated) -> None:
    curated.task["train"][3]["mood"] = "sad"
    for row in curated.task["test"]:
        del row["label"]
    tables = opened()
    assert tables["colour_train"].columns == (*TASK_COLUMNS, *TASK_MEASURED, "mood")
    assert "label" not in tables["colour_test"].columns


def test_rows_are_the_same_from_other_processes_and_nothing_is_left_behind(
    curated: Curated, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    curated.write()
    monkeypatch.setattr(module, "SMALL", 0)
    folder, found = curated.folder, []
    for workers in ("1", "2"):
        monkeypatch.setenv("LIANZI_WORKERS", workers)
        with measured_tables(folder / "corpus", folder / "tasks", tasks, folder / ".measured") as tables:
            found.append([one.database.execute(f"SELECT * FROM {one.view} ORDER BY row").fetchall() for one in tables])
        assert not (folder / ".measured").exists()
    assert found[0] == found[1]


def test_a_missing_corpus_or_split_is_named(opened: Open, curated: Curated, tasks: Tasks) -> None:
    opened()
    (curated.folder / "tasks" / "colour" / "test.jsonl").unlink()
    with pytest.raises(ArtifactError, match=r"test.jsonl: missing"), _again(curated, tasks):
        pass
    (curated.folder / "corpus" / "manifest.json").write_text(json.dumps({"kind": "tokens", "schema": 1}))
    with pytest.raises(ArtifactError, match="not a corpus"), _again(curated, tasks):
        pass


def _again(curated: Curated, tasks: Tasks) -> Any:
    folder = curated.folder
    return measured_tables(folder / "corpus", folder / "tasks", tasks, folder / ".again")
