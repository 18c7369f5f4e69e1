from __future__ import annotations

from components.deployment.rows import Rows
from components.evaluation.baselines.words import tagged, task_words, words
from components.tasks.token_classification import TokenClassification


def test_words_are_runs_of_letters_and_digits_and_chinese_characters_stand_alone() -> None:
    assert words("Call me Ishmael, 3 times.") == ["call", "me", "ishmael", "3", "times"]
    assert words("床前明月light 2光") == ["床", "前", "明", "月", "light", "2", "光"]
    assert words(" … ") == []


def test_a_taggers_words_are_those_that_it_answers_about() -> None:
    task = TokenClassification(("O", "B-LOC"))
    rows = Rows(["In Paris.", "Rome"], task.targets([{"tags": ["O", "B-LOC", "O"]}, {"tags": ["B-LOC"]}]))
    assert task_words(task, "In Paris.") == ["In", "Paris", "."]
    assert tagged(task, rows) == [(["In", "Paris", "."], [0, 1, 0]), (["Rome"], [1])]
