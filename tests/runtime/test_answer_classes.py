"""An answer of each class is made of a model's outputs, and reads as a line for a person."""

from __future__ import annotations

import numpy as np

from components.runtime.answer_classes import entities, estimates, predictions
from components.tasks.classification import Classification
from components.tasks.regression import Regression
from components.tasks.token_classification import TokenClassification

TEXT = "Ada, of Paris"
TAGGER = TokenClassification(("O", "B-LOC", "B-PER", "I-PER"))


def test_entities_are_characters_of_the_text() -> None:
    # Ada is a person, the comma goes on with it, Paris is a place.
    [answer] = entities(TAGGER, [TEXT], 9 * np.eye(4, dtype=np.float32)[[[2, 3, 0, 1]]])
    found = answer.json()["entities"]
    assert [(one["label"], one["text"], TEXT[one["start"] : one["end"]]) for one in found] == [
        ("PER", "Ada,", "Ada,"),
        ("LOC", "Paris", "Paris"),
    ]
    assert all(0.99 < one["score"] <= 1 for one in found)
    assert str(answer) == "PER Ada,; LOC Paris"


def test_a_text_without_entities_is_an_empty_list() -> None:
    [answer] = entities(TAGGER, ["none"], 9 * np.eye(4, dtype=np.float32)[[[0]]])
    assert (answer.json(), str(answer)) == ({"entities": []}, "-")


def test_one_answer_is_a_line() -> None:
    [prediction] = predictions(Classification(("a", "b")), [TEXT], np.float32([[0, 1]]))
    [estimate] = estimates(Regression(("number",), 3.0, 2.0), [TEXT], np.float32([[0.5]]))
    assert (str(prediction), str(estimate)) == ("b\t0.731", "4")
