"""Questions in files: SQuAD's JSON, flat rows, and answers that are not where they should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.artifacts import read_manifest
from components.corpus.labelled import Labelled, curate_task
from components.corpus.questions import questions, read_question
from components.corpus.record import Record
from components.corpus.removals import Removals
from components.errors import DataError
from components.tasks.config import AnswersConfig

CONTEXT = "Accra is the capital of Ghana.  Accra lies by the sea."
FLAT = {
    "id": "q1",
    "question": "What is the capital of Ghana?",
    "context": CONTEXT,
    "answers": {"text": ["Accra"], "answer_start": [0]},
}
ARTICLE = {
    "title": "Accra",
    "paragraphs": [
        {
            "context": CONTEXT,
            "qas": [
                {"id": "q1", "question": FLAT["question"], "answers": [{"text": "Accra", "answer_start": 0}]},
                {
                    "id": "q2",
                    "question": "Who built it?",
                    "is_impossible": True,
                    "answers": [],
                    "plausible_answers": [],
                },
            ],
        }
    ],
}
CONFIG = AnswersConfig(kind="question_answering", language="en", max_length=64)


def curated(tmp_path: Path, train: str, name: str = "train.jsonl") -> Labelled:
    folder = tmp_path / "data" / "tasks" / "asked"
    folder.mkdir(parents=True)
    (folder / name).write_text(train, encoding="utf-8")
    for split in ("validation", "test"):
        other = FLAT | {"question": f"{split}: where is Accra?"}
        (folder / f"{split}.jsonl").write_text(json.dumps(other), encoding="utf-8")
    return curate_task(CONFIG, folder, tmp_path / "data", tmp_path / "rows", Removals())


def rows_of(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "rows" / "train.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    "wrapped",
    [
        json.dumps({"version": "v2.0", "data": [ARTICLE]}),
        json.dumps({"data": [ARTICLE], "version": "1.1"}, indent=1),
        json.dumps([ARTICLE]),
    ],
)
def test_squads_json_is_read_question_by_question(tmp_path: Path, wrapped: str) -> None:
    found = curated(tmp_path, wrapped, "train.json")
    assert found.kept["train"] == 2
    first, second = rows_of(tmp_path)
    assert first["id"] == "train/q1"
    assert first["answers"] == FLAT["answers"]
    assert second["answers"] == {"text": [], "answer_start": []}
    assert read_manifest(tmp_path / "rows", "task")["unanswerable"] is True


def test_rows_as_datasets_has_them_are_read_from_every_format(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    pq.write_table(pa.Table.from_pylist([FLAT]), path)
    from components.corpus.read import read_records

    [record] = read_records(path, ("id", "question", "context", "answers"))
    texts, target_of = read_question(record)
    assert target_of(*texts) == FLAT["answers"]
    csv = Record(Path("train.csv"), 2, {**FLAT, "answers": json.dumps(FLAT["answers"])})
    assert read_question(csv)[1](*texts) == FLAT["answers"]


def test_an_answer_stays_the_same_one_where_the_context_is_cleaned(tmp_path: Path) -> None:
    second = {"text": ["Accra"], "answer_start": [CONTEXT.rindex("Accra")]}
    dirty = "\u200b" + CONTEXT
    row = FLAT | {"context": dirty, "answers": {"text": ["Accra"], "answer_start": [dirty.rindex("Accra")]}}
    curated(tmp_path, json.dumps(row))
    [found] = rows_of(tmp_path)
    start = found["answers"]["answer_start"][0]
    assert found["context"].startswith("Accra", start)
    assert start == found["context"].rindex("Accra")
    assert second["text"] == found["answers"]["text"]


@pytest.mark.parametrize(("answer", "start"), [("the ", 5), (" the", 15)])
def test_blanks_around_an_answer_do_not_move_it(answer: str, start: int, tmp_path: Path) -> None:
    given = {"text": [answer], "answer_start": [start]}
    curated(tmp_path, json.dumps(FLAT | {"context": "then the cat by the sea", "answers": given}))
    [found] = rows_of(tmp_path)
    assert found["answers"] == {"text": ["the"], "answer_start": [start + answer.index("the")]}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"answers": {"text": ["Accra"], "answer_start": [3]}},
            "question q1: the answer 'Accra' is not at character 3 of its context\nit begins at 0",
        ),
        (
            {"answers": {"text": ["Lagos"], "answer_start": [3]}},
            "the answer 'Lagos' is not at character 3 of its context\nthe context does not have it",
        ),
        ({"answers": {"text": ["Accra"]}}, "'answers' has not as many texts as places"),
        ({"answers": "Accra"}, "'answers' is no JSON"),
        ({"answers": {"text": [""], "answer_start": [0]}}, "the answer '' at 0 is no text with its place"),
        ({"question": None, "answers": None}, "'answers' has not as many texts as places"),
    ],
)
def test_an_answer_that_is_not_in_its_place_is_named_by_file_and_line(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    lines = [json.dumps(FLAT), json.dumps(FLAT | changes)]
    with pytest.raises(DataError) as error:
        curated(tmp_path, "\n".join(lines))
    assert "train.jsonl:2: " in str(error.value)
    assert told in f"{error.value}\n{error.value.hint}"


def test_a_question_without_text_a_repeated_one_and_a_repeated_id_go_to_quarantine(tmp_path: Path) -> None:
    rows = [FLAT, FLAT | {"id": "q2", "question": "  "}, FLAT | {"id": "q3"}, FLAT | {"question": "Which city is it?"}]
    found = curated(tmp_path, "\n".join(map(json.dumps, rows)))
    assert found.rejected["train"] == {"empty": 1, "duplicate": 1, "repeated_id": 1}
    quarantine = (tmp_path / "rows" / "quarantine.jsonl").read_text(encoding="utf-8")
    assert '"repeated_id"' in quarantine
    assert "train.jsonl" in quarantine


def test_an_article_that_is_none_is_told() -> None:
    record = Record(Path("train.json"), 1, {"title": "x", "paragraphs": [{"context": "y", "qas": "z"}]})
    with pytest.raises(DataError, match="'qas' is text, not a list of objects"):
        list(questions(record))
