"""The span among the question's words."""

from __future__ import annotations

import numpy as np

from components.deployment.rows import Rows
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.sliding_window import SlidingWindow, form_of
from components.tasks.metrics import score
from components.tasks.question_answering import QuestionAnswering

TASK = QuestionAnswering(("start", "end"))
PEOPLE = [("Ada", 1815, "London"), ("Emmy", 1882, "Erlangen"), ("Marie", 1867, "Warsaw"), ("Lise", 1878, "Vienna")]


def rows(questions: dict[str, int]) -> Rows:
    texts, answers = [], []
    for person in PEOPLE:
        context = f"{person[0]} was born in {person[1]} in the city of {person[2]}."
        for question, place in questions.items():
            texts.append((question.format(person[0]), context))
            answers.append(str(person[place]) if place else "")
    return Rows(texts, TASK.written(answers))


def tuned(task: QuestionAnswering, given: Rows) -> SlidingWindow:
    return SlidingWindow.tuned(TuningData(task, given, given, "en"))


def test_the_form_of_an_answer_tells_years_from_places() -> None:
    assert form_of(["1815"]) == (1, "0")
    assert form_of(["New", "York", "'", "s"]) == (4, "X'x")
    given = rows({"In which year was {} born?": 1, "In which city was {} born?": 2})
    fitted = tuned(TASK, given)
    assert score(TASK.metrics[0], given.targets, fitted.predict(given.texts)) == 1
    assert fitted.choice.metrics()["width"] in (3, 8, 20)


def test_questions_without_an_answer_are_told_by_a_score_chosen_on_validation_rows() -> None:
    given = rows({"In which year was {} born?": 1, "Whose dog barks loudly?": 0})
    fitted = tuned(QuestionAnswering(("start", "end"), unanswerable=True), given)
    assert fitted.choice.least > -np.inf
    assert score(TASK.metrics[0], given.targets, fitted.predict(given.texts)) > 0.5


def test_without_an_answered_question_nothing_is_found() -> None:
    """As a small share of the labels may leave it."""
    given = rows({"Whose dog barks loudly?": 0})
    fitted = tuned(QuestionAnswering(("start", "end"), unanswerable=True), given)
    assert score(TASK.metrics[0], given.targets, fitted.predict(given.texts)) == 1
    assert not np.isnan(fitted.choice.least)
