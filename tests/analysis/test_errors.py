"""components.analysis.errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from components.analysis.errors import confusions, mistakes
from components.analysis.subject import Subject
from components.deployment.rows import Rows
from components.tasks.multi_label import MultiLabel
from components.tasks.multiple_choice import MultipleChoice
from components.tasks.question_answering import QuestionAnswering
from components.tasks.regression import Regression
from components.tasks.retrieval import Retrieval
from components.tasks.sequence_to_sequence import characters
from components.tasks.task import Task
from components.tasks.token_classification import TokenClassification
from tests.small_subjects import small_subject

TEXTS = ["wave", "street", "whale", "lamp"]
SURE = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])


def test_the_most_confidently_wrong_row_is_first() -> None:
    subject = small_subject(["sea", "city"], TEXTS, [1, 1, 1, 1], SURE.argmax(axis=1), SURE)
    found = mistakes(subject)
    assert [(one.id, one.degree) for one in found] == [("test/line-1", 0.9), ("test/line-2", 0.6)]
    assert found[0][2:5] == ("wave", "city", "sea")


def test_pairs_of_labels_that_are_confused_have_their_most_confident_examples() -> None:
    subject = small_subject(["sea", "city"], TEXTS, [1, 1, 0, 1], SURE.argmax(axis=1), SURE)
    first, second = confusions(subject, mistakes(subject))
    assert (first.expected, first.answer, first.rows) == ("city", "sea", 2)
    assert [one.text for one in first.examples] == ["wave", "street"]
    assert (second.expected, second.rows) == ("sea", 1)


OTHERS: dict[str, tuple[Task, dict[str, Any], dict[str, Any], np.ndarray, str, str]] = {
    "labels": (
        MultiLabel(("sea", "city")),
        {"text": "wave", "labels": ["sea", "city"]},
        {"text": "none", "labels": []},
        np.array([[1, 0], [0, 0]]),
        "sea; city",
        "sea",
    ),
    "numbers": (
        Regression(("score",), 0.0, 1.0),
        {"text": "wave", "label": 1.5},
        {"text": "none", "label": 2.0},
        np.array([0.25, 2.0]),
        "1.5",
        "0.25",
    ),
    "choices": (
        MultipleChoice(("score",)),
        {"text": "wave", "choices": ["a", "b"], "label": 1},
        {"text": "none", "choices": ["a", "b"], "label": 1},
        np.array([0, 1]),
        "b",
        "a",
    ),
    "entities": (
        TokenClassification(("B-LOC", "O")),
        {"text": "to Accra", "tags": ["O", "B-LOC"]},
        {"text": "to sea", "tags": ["O", "O"]},
        np.array([[1, 1], [1, 1]]),
        "LOC: Accra",
        "–",
    ),
    "spans": (
        QuestionAnswering(("start", "end")),
        {"question": "where", "context": "in Accra", "answers": {"text": ["Accra"], "answer_start": [3]}},
        {"question": "who", "context": "Eve", "answers": {"text": ["Eve"], "answer_start": [0]}},
        characters(["in", "Eve"]),
        "Accra",
        "in",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_of_other_answers_the_row_that_is_off_is_told_as_a_person_reads_it(name: str) -> None:
    task, wrong, right, answers, expected, answer = OTHERS[name]
    found = mistakes(of_rows(task, [right, wrong], answers[::-1]))
    assert [(one.id, one.expected, one.answer) for one in found] == [("test/1", expected, answer)]
    assert found[0].degree > 0


def test_a_right_answer_that_is_not_found_first_is_less_than_perfect() -> None:
    task = Retrieval.fit(["a", "b"])
    rows = [{"text": "which", "answer": answer, "negatives": []} for answer in "ab"]
    (found,) = mistakes(of_rows(task, rows, np.array([[0, 1], [0, 1]])))
    assert (found.id, found.expected, found.answer) == ("test/1", "b", "a")


def of_rows(task: Task, rows: Sequence[dict[str, Any]], answers: np.ndarray) -> Subject:
    """A subject of a kind without probabilities."""
    columns = [{"id": f"test/{number}", **row} for number, row in enumerate(rows)]
    test = Rows([task.text(row) for row in rows], task.targets(rows))
    made_up = small_subject(["sea", "city"], TEXTS[:2], [0, 1], [0, 1])
    return replace(made_up, task=task, test=test, columns=columns, answers=answers)
