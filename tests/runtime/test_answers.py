"""An answer can be shown, written and served whatever kind of task it is of."""

from __future__ import annotations

import numpy as np
import pytest

from components.runtime.answers import ENTITIES, FORMS, answer_form
from components.tasks.classification import Classification
from components.tasks.multi_label import MultiLabel
from components.tasks.regression import Regression
from components.tasks.retrieval import Retrieval
from components.tasks.token_classification import TokenClassification

TEXT = "Ada, of Paris"
TAGGER = TokenClassification(("O", "B-LOC", "B-PER", "I-PER"))
TASKS = {
    "label": (Classification(("a", "b")), np.float32([[0, 1]])),
    "labels": (MultiLabel(("a", "b", "c")), np.float32([[2, -1, 0]])),
    "number": (Regression(("number",), 3.0, 2.0), np.float32([[0.5]])),
    "answer": (Retrieval(("vector",), ("At nine.", "By card.")), np.float32([[0.1, 0.9]])),
    # Ada is a person, the comma goes on with it, Paris is a place.
    "entities": (TAGGER, 9 * np.eye(4, dtype=np.float32)[[[2, 3, 0, 1]]]),
}


@pytest.mark.parametrize("name", TASKS)
def test_the_form_of_answers_follows_from_the_outputs(name: str) -> None:
    task, outputs = TASKS[name]
    form = answer_form(task)
    assert form in FORMS
    [answer] = form.answers(task, [TEXT], outputs)
    assert next(iter(form.tensors)) == name
    assert answer.json().keys() == form.blank.keys()
    assert name in answer.columns


@pytest.mark.parametrize("name", TASKS)
def test_every_tensor_has_the_shape_and_type_that_it_is_said_to_have(name: str) -> None:
    task, outputs = TASKS[name]
    for tensor in answer_form(task).tensors.values():
        if tensor.values is None or tensor.datatype == "BYTES":
            values = tensor.values(task, outputs) if tensor.values else ["of an answer"]
            assert isinstance(values[0], str)
            assert tensor.shape(len(task.labels)) == [-1]
        else:
            values = tensor.values(task, outputs)
            assert isinstance(values, np.ndarray)
            assert values.dtype == np.float32
            said = tensor.shape(len(task.labels))
            assert all(wanted in (-1, there) for wanted, there in zip(said, values.shape, strict=True))


def test_tensors_of_one_name_have_one_type_in_every_form() -> None:
    kinds = {(name, tensor.datatype) for form in FORMS for name, tensor in form.tensors.items()}
    assert len(kinds) == len(dict(kinds))


def test_a_log_keeps_the_answer_and_how_sure_it_is() -> None:
    kept = {}
    for name, (task, outputs) in TASKS.items():
        [answer] = answer_form(task).answers(task, [TEXT], outputs)
        kept[name] = answer_form(task).logged(answer)
    assert kept["label"] == ("b", pytest.approx(0.731, abs=1e-3))
    assert kept["labels"] == ("a; c", None)
    assert (kept["number"], kept["entities"]) == (("4", None), ("PER Ada,; LOC Paris", None))


def test_entities_need_the_text_itself_beside_its_tokens() -> None:
    assert ENTITIES.of_text == ("entities",)
