"""Retrieval: how rows are read, what is searched, and what a ranking is worth."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts import read_manifest
from components.corpus.labelled import curate_task
from components.corpus.record import Record
from components.corpus.removals import Removals
from components.corpus.row_form import form_of
from components.errors import DataError
from components.tasks.config import RetrievalConfig
from components.tasks.kinds import task_of
from components.tasks.metrics import score
from components.tasks.retrieval import Retrieval, Sought
from components.tasks.rows import read_split

TASK = Retrieval(("vector",), ("At nine.", "By card.", "In the park."))
CONFIG = RetrievalConfig(kind="retrieval", language="en", max_length=16)
ROW = {"text": "when?", "answer": "At nine.", "negatives": ["By card.", "Never."]}


def read(**fields: Any) -> tuple[tuple[str, ...], Sought]:
    found = form_of(CONFIG).read(Record(Path("train.jsonl"), 4, {"question": "when?", **fields}))
    assert found is not None
    return found[0], found[1](*found[0])


def test_a_row_is_a_question_its_answer_and_negatives() -> None:
    asked, answer = read(answer=" At nine. ", negatives='["By card.", "By card."]')
    assert (asked, answer, answer.negatives) == (("when?",), "At nine.", ("By card.",))
    assert read(answer="At nine.", negatives=None)[1].negatives == ()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "no 'answer'"),
        ({"answer": " "}, "the answer is empty"),
        ({"answer": "At nine.", "negatives": "By card."}, "'negatives' is no list of texts"),
        ({"answer": "At nine.", "negatives": [""]}, "'negatives' is no list of texts"),
        ({"answer": "At nine.", "negatives": ["At nine."]}, "the answer stands among its negatives"),
    ],
)
def test_a_row_that_cannot_be_learned_is_named_by_its_line(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError) as error:
        read(**fields)
    assert f"train.jsonl:4: {told}" in str(error.value)


def test_the_answers_of_all_splits_are_searched_and_a_question_stands_in_one(tmp_path: Path) -> None:
    raw = tmp_path / "data" / "tasks" / "help"
    raw.mkdir(parents=True)
    rows = {
        "train": [("when?", "At nine."), ("how?", "By card."), ("so how?", "By card."), ("how?", "In cash.")],
        "validation": [("what time?", "At nine.")],
        "test": [("when?", "At nine."), ("where?", "In the park.")],
    }
    for split, pairs in rows.items():
        lines = [json.dumps({"question": question, "answer": answer}) + "\n" for question, answer in pairs]
        (raw / f"{split}.jsonl").write_text("".join(lines))
    found = curate_task(CONFIG, raw, tmp_path / "data", tmp_path / "help", Removals())
    assert found.quarantined == {"in_task_test": 1, "label_conflict": 1}
    assert found.held_out["test"] == ["when?", "where?"]
    task = task_of(read_manifest(tmp_path / "help", "task"))
    assert task.passages == ("At nine.", "By card.", "In the park.")
    kept = read_split(tmp_path / "help" / "train.jsonl", task)
    assert task.targets(kept).tolist() == [1, 1]


def test_one_answer_is_none_to_find() -> None:
    with pytest.raises(ValueError, match="the same answer"):
        Retrieval.fit([Sought("At nine."), Sought("At nine.")])


def test_a_stored_row_is_checked() -> None:
    TASK.check_row(ROW)
    for strange in ({"answer": "Never."}, {"negatives": "By card."}, {"negatives": [3]}):
        with pytest.raises(ValueError, match=r"answer|negatives"):
            TASK.check_row(ROW | strange)


def test_what_is_compared_goes_by_the_numbers_of_texts() -> None:
    """A negative that is an answer has its number; others have numbers behind, the same for the same text."""
    rows = [ROW, {"text": "how?", "answer": "By card.", "negatives": ["Never."]}]
    assert TASK.learned(rows, []).tolist() == [[0, 1, 3], [1, 3, -100]]


def test_the_nearest_answers_are_found_and_nan_is_the_furthest() -> None:
    found = TASK.decode(np.array([[0.1, 0.9, 0.5], [np.nan, 0.2, 0.2]], dtype=np.float32))
    assert found.tolist() == [[1, 2, 0], [1, 2, 0]]
    assert TASK.values(found) == ["By card.", "By card."]
    assert TASK.same(found, found[:, ::-1]).tolist() == [False, False]


def test_a_ranking_is_worth_what_its_formula_says() -> None:
    """Right answers at the first, third and eleventh place."""
    targets, answers = np.array([0, 2, 10]), np.tile(np.arange(12), (3, 1))
    found = {metric.name: score(metric, targets, answers) for metric in TASK.metrics}
    assert found == pytest.approx(
        {
            "ndcg_at_10": (1 + 1 / math.log2(4)) / 3,
            "recall_at_1": 1 / 3,
            "recall_at_10": 2 / 3,
            "mrr_at_10": (1 + 1 / 3) / 3,
        }
    )


@pytest.mark.parametrize("strange", [{"passages": ["one"]}, {"passages": ["one", "one"]}, {"temperature": 0}])
def test_a_manifest_that_describes_no_search_is_refused(strange: dict[str, Any]) -> None:
    assert Retrieval.from_manifest(TASK.manifest()) == TASK
    with pytest.raises(ValueError, match=r"passages|temperature"):
        Retrieval.from_manifest(TASK.manifest() | strange)
