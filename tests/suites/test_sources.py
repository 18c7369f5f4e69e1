"""components.suites.sources: a suite's rows, wherever they come from, and the rows that the pipeline learns from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, Features, Value

from components.corpus.record import Record
from components.corpus.row_form import form_of
from components.errors import DataError
from components.suites.sources import pipeline_rows, question_row, read_task
from components.suites.suite import SUITES, suite_of
from components.tasks.config import TaskConfig
from tests.small_suites import COUNTS, small_suite


@pytest.mark.parametrize("name", list(SUITES))
def test_every_published_file_gives_rows_of_its_kind(tmp_path: Path, name: str) -> None:
    suite, data = suite_of(name), small_suite(name, tmp_path / name)
    for task in suite.tasks:
        found = read_task(suite, task, data)
        assert set(found) == set(task.splits)
        assert all(found.values())
        form = form_of(TaskConfig.variant(task.kind["kind"]).model_validate(dict(task.kind)))
        for split, rows in found.items():
            for number, raw in enumerate(rows):
                row = question_row(task, split, number, raw)
                assert form.read(Record(Path(split), number, row))
        if not task.trained_as:
            made = pipeline_rows(task, found)
            assert all(made.values())
            assert all(json.dumps(row) for rows in made.values() for row in rows)


def test_what_decides_in_training_comes_from_the_training_rows_where_test_labels_are_hidden(tmp_path: Path) -> None:
    suite = suite_of("superglue/multirc")
    found = read_task(suite, suite.tasks[0], small_suite("superglue", tmp_path))
    made = pipeline_rows(suite.tasks[0], found)
    assert len(made["test"]) == 4 * COUNTS["validation"]
    assert len(made["train"]) + len(made["validation"]) == 4 * COUNTS["train"]
    passages = [{row["text"] for row in made[split]} for split in ("train", "validation")]
    assert passages[0].isdisjoint(passages[1])


def test_the_hubs_parquet_is_a_local_copy_too(tmp_path: Path) -> None:
    features = Features({"sentence": Value("string"), "label": ClassLabel(names=["negative", "positive"])})
    for split, labels in (("train", [0, 1]), ("validation", [1, 0]), ("test", [-1, -1])):
        rows = Dataset.from_dict({"sentence": [f"{split} a", f"{split} b"], "label": labels}, features=features)
        (tmp_path / "sst2").mkdir(exist_ok=True)
        rows.to_parquet(tmp_path / "sst2" / f"{split}-00000-of-00001.parquet")
    suite = suite_of("glue/sst2")
    found = read_task(suite, suite.tasks[0], tmp_path)
    assert [suite.tasks[0].target(raw) for raw in found["validation"]] == ["positive", "negative"]
    assert [suite.tasks[0].target(raw) for raw in found["test"]] == [None, None]


def test_a_copy_without_a_file_says_what_to_download(tmp_path: Path) -> None:
    suite = suite_of("squad")
    with pytest.raises(DataError, match=r"put train-v1.1.json, dev-v1.1.json into .*/squad/"):
        read_task(suite, suite.tasks[0], tmp_path)


@pytest.mark.parametrize(
    ("name", "file", "content", "told"),
    [
        ("glue/sst2", "SST-2/train.tsv", "a\tb\nc\td\n", "train.tsv:1: none of the columns sentence, label"),
        ("glue/rte", "RTE/train.tsv", "sentence1\tb\nc\td\n", "train.tsv: not in the form of rte: no 'sentence2'"),
        ("squad", "squad/train-v1.1.json", "{}", "train-v1.1.json: not in the form of squad: no 'data'"),
        ("superglue/multirc", "MultiRC/train.jsonl", "{}", "train.jsonl: not in the form of multirc: no 'passage'"),
        ("xsum", "xsum/train.jsonl", '{"document": "a"}', "train.jsonl: not in the form of xsum: no 'summary'"),
    ],
)
def test_a_file_of_another_form_is_told(tmp_path: Path, name: str, file: str, content: str, told: str) -> None:
    suite = suite_of(name)
    (tmp_path / file).parent.mkdir()
    (tmp_path / file).write_text(content)
    with pytest.raises(DataError, match=told):
        read_task(suite, suite.tasks[0], tmp_path)


def test_a_question_is_asked_whatever_its_published_offset() -> None:
    raw = {"question": "Who?", "context": "Ada sails.", "answers": {"text": ["Ada"], "answer_start": [-1]}}
    row = question_row(suite_of("squad").tasks[0], "validation", 0, raw)
    assert row["answers"] == {"text": [], "answer_start": []}
