"""What a bundle answers with: a label, labels, a number, entities, by its task's output (docs/decisions/0052).

Whoever shows an answer, on a screen, as JSON or as a tensor, asks its form and knows no kind of task by name. Another
form is a class of answers, in components/runtime/answer_classes.py, and a constant here; its side of Triton is
components/deployment/triton_models/NAME.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from components.runtime.answer_classes import (
    NO_PLACE,
    Answer,
    Entities,
    choices,
    entities,
    estimates,
    found_answers,
    label_sets,
    predictions,
    spans,
)
from components.runtime.prediction import sigmoid, softmax
from components.tasks.task import Task

LABELS = "labels"
"""The axis of a tensor that is as long as there are labels; others depend on the request."""

Values = list[str] | np.ndarray
"""Of BYTES the strings, of numbers an array of the tensor's shape."""


@dataclass(frozen=True)
class AnswerTensor:
    """An output of a served model. `axes`: those behind the rows'.

    `values`: from what the model gave; `of_graph`: as its graph gave it, where answers are made of more. Or
    `of_answer`: from the answer to each text, where a model's outputs do not say it without the text.
    """

    datatype: Literal["BYTES", "FP32", "INT64"]
    axes: tuple[str, ...] = ()
    values: Callable[[Task, np.ndarray], Values] | None = None
    of_answer: Callable[[Any], str | float] | None = None
    of_graph: bool = False

    def shape(self, labels: int) -> list[int]:
        """With -1 for what depends on the request."""
        return [-1, *(labels if axis == LABELS else -1 for axis in self.axes)]


@dataclass(frozen=True)
class AnswerForm:
    """`answers`: those to some texts, from what `task_outputs` gives. `tensors`: what a server gives, in this order.

    `blank`: the JSON that stands for the answer to a blank text. `logged`: what a log of requests keeps of an answer,
    as text, and how sure it is.
    """

    name: str
    answers: Callable[[Task, Sequence[Any], np.ndarray], Sequence[Answer]]
    tensors: Mapping[str, AnswerTensor]
    blank: Mapping[str, Any]
    logged: Callable[[Any], tuple[str, float | None]]

    @property
    def of_text(self) -> tuple[str, ...]:
        """The outputs that need the text itself, beside its tokens."""
        return tuple(name for name, tensor in self.tensors.items() if tensor.of_answer)


def _best_answers(task: Task, outputs: np.ndarray) -> list[str]:
    return list(task.values(task.decode(outputs)))


def _answers_in_json(task: Task, outputs: np.ndarray) -> list[str]:
    found = found_answers(task, (), outputs)
    return [json.dumps(one.json()["answers"], ensure_ascii=False) for one in found]


def _labels(task: Task, outputs: np.ndarray) -> list[str]:
    # Not numpy's argmax: it hands the interpreter's lock to the batching thread, whatever the size.
    return [task.labels[row.index(max(row))] for row in outputs.tolist()]


def _scores(task: Task, outputs: np.ndarray) -> np.ndarray:
    return softmax(outputs)


def _label_lists(task: Task, outputs: np.ndarray) -> list[str]:
    return [json.dumps(labels, ensure_ascii=False) for labels in task.values(task.decode(outputs))]


def _probabilities(task: Task, outputs: np.ndarray) -> np.ndarray:
    return sigmoid(outputs)


def _numbers(task: Task, outputs: np.ndarray) -> np.ndarray:
    return task.decode(outputs).astype(np.float32)


def _entities_in_json(answer: Entities) -> str:
    return json.dumps(answer.json()["entities"], ensure_ascii=False)


def _logits(*axes: str) -> AnswerTensor:
    return AnswerTensor("FP32", axes, lambda task, outputs: outputs)


LABEL = AnswerForm(
    "label",
    predictions,
    {
        "label": AnswerTensor("BYTES", (), _labels),
        "scores": AnswerTensor("FP32", (LABELS,), _scores),
        "logits": _logits(LABELS),
    },
    {"label": None, "scores": {}},
    lambda answer: (answer.label, answer.score),
)
LABEL_SET = AnswerForm(
    "labels",
    label_sets,
    {
        "labels": AnswerTensor("BYTES", (), _label_lists),
        "scores": AnswerTensor("FP32", (LABELS,), _probabilities),
        "logits": _logits(LABELS),
    },
    {"labels": [], "scores": {}},
    lambda answer: ("; ".join(answer.labels), None),
)
NUMBER = AnswerForm(
    "number",
    estimates,
    {"number": AnswerTensor("FP32", (), _numbers), "logits": _logits(LABELS)},
    {"number": None},
    lambda answer: (str(answer), None),
)
ENTITIES = AnswerForm(
    "entities",
    entities,
    {"entities": AnswerTensor("BYTES", of_answer=_entities_in_json), "logits": _logits("tokens", LABELS)},
    {"entities": []},
    lambda answer: (str(answer), None),
)
CHOICE = AnswerForm(
    "choice",
    choices,
    {
        "choice": AnswerTensor("BYTES", of_answer=lambda answer: answer.text),
        "scores": AnswerTensor("FP32", ("choices",), _scores),
        "logits": _logits("choices"),
    },
    {"choice": None, "scores": []},
    lambda answer: (answer.text, answer.score),
)
FOUND = AnswerForm(
    "answer",
    found_answers,
    {
        "answer": AnswerTensor("BYTES", (), _best_answers),
        "answers": AnswerTensor("BYTES", (), _answers_in_json),
        "sentence_embedding": AnswerTensor("FP32", ("width",), lambda task, outputs: outputs, of_graph=True),
    },
    {"answers": []},
    lambda answer: (answer.answers[0], answer.scores[0]),
)
SPAN = AnswerForm(
    "span",
    spans,
    {
        "answer": AnswerTensor("BYTES", of_answer=lambda answer: answer.text),
        "start": AnswerTensor("INT64", of_answer=lambda answer: answer.start),
        "end": AnswerTensor("INT64", of_answer=lambda answer: answer.end),
        "score": AnswerTensor("FP32", of_answer=lambda answer: answer.score),
    },
    {"answer": "", "start": NO_PLACE, "end": NO_PLACE, "score": None},
    lambda answer: (answer.text, answer.score),
)
FORMS = (CHOICE, LABEL, LABEL_SET, NUMBER, ENTITIES, FOUND, SPAN)
BY_OUTPUT = {"categorical": LABEL, "binary": LABEL_SET, "real": NUMBER}
"""Kind of an output -> the form of answers."""


def answer_form(task: Task) -> AnswerForm:
    """The form of a task's answers."""
    if task.output.over_tokens:
        return SPAN
    if task.output.per_token:
        return ENTITIES
    if task.output.per_choice:
        return CHOICE
    if task.output.embeds:
        return FOUND
    return BY_OUTPUT[task.output.kind]
