"""What a bundle answers with: a label, labels, a number, entities, by its task's output (docs/decisions/0052).

Whoever shows an answer, on a screen, as JSON or as a tensor, asks its form and knows no kind of task by name. Another
form is a class of answers and a constant here; its side of Triton is components/deployment/triton_models/NAME.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from components.runtime.prediction import sigmoid, softmax
from components.tasks.task import Task, Text, parts

LABELS = "labels"
"""The axis of a tensor that is as long as there are labels; others depend on the request."""

SHOWN_ANSWERS = 3
"""Of those found for a question, on a line for a person."""

Values = list[str] | np.ndarray
"""Of BYTES the strings, of numbers an array of the tensor's shape."""


@dataclass(frozen=True)
class Prediction:
    """The most likely label, its probability, and the probability of every label."""

    label: str
    score: float
    scores: dict[str, float]

    @property
    def columns(self) -> dict[str, str | float]:
        """As a row of a table."""
        return {"label": self.label, "score": self.score}

    def json(self) -> dict[str, Any]:
        """As `lianzi predict` writes it."""
        return {"label": self.label, "scores": {label: round(score, 6) for label, score in self.scores.items()}}

    def __str__(self) -> str:
        return f"{self.label}\t{self.score:.3f}"


@dataclass(frozen=True)
class LabelSet:
    """The labels whose probability reaches the threshold, and the probability of every label."""

    labels: tuple[str, ...]
    scores: dict[str, float]

    @property
    def columns(self) -> dict[str, str | float]:
        """As a row of a table."""
        return {"labels": "; ".join(self.labels)}

    def json(self) -> dict[str, Any]:
        """As `lianzi predict` writes it."""
        scores = {label: round(score, 6) for label, score in self.scores.items()}
        return {"labels": list(self.labels), "scores": scores}

    def __str__(self) -> str:
        return "; ".join(f"{label} {self.scores[label]:.3f}" for label in self.labels) or "-"


@dataclass(frozen=True)
class Choice:
    """The best choice: its number from 0, its text and its probability; and the probability of every choice."""

    number: int
    text: str
    score: float
    scores: tuple[float, ...]

    @property
    def columns(self) -> dict[str, str | float]:
        """As a row of a table."""
        return {"choice": self.text, "number": self.number, "score": self.score}

    def json(self) -> dict[str, Any]:
        """As `lianzi predict` writes it."""
        return {"choice": self.text, "number": self.number, "scores": [round(score, 6) for score in self.scores]}

    def __str__(self) -> str:
        return f"{' '.join(self.text.split())}\t{self.score:.3f}"


@dataclass(frozen=True)
class Estimate:
    """A regression's answer."""

    number: float

    @property
    def columns(self) -> dict[str, str | float]:
        """As a row of a table."""
        return {"number": self.number}

    def json(self) -> dict[str, Any]:
        """As `lianzi predict` writes it."""
        return {"number": float(str(self))}

    def __str__(self) -> str:
        return f"{self.number:.6g}"


@dataclass(frozen=True)
class FoundEntity:
    """The characters of a text from `start` up to before `end`; `score`: the mean probability of its words' tags."""

    start: int
    end: int
    label: str
    score: float
    text: str

    def json(self) -> dict[str, Any]:
        return asdict(self) | {"score": round(self.score, 6)}


@dataclass(frozen=True)
class Entities:
    """A tagger's answer: the entities of a text, in its order."""

    entities: tuple[FoundEntity, ...]

    @property
    def columns(self) -> dict[str, str | float]:
        """As a row of a table."""
        return {"entities": str(self)}

    def json(self) -> dict[str, Any]:
        """As `lianzi predict` writes it."""
        return {"entities": [one.json() for one in self.entities]}

    def __str__(self) -> str:
        return "; ".join(f"{one.label} {' '.join(one.text.split())}" for one in self.entities) or "-"


@dataclass(frozen=True)
class FoundAnswers:
    """The answers found for a question, the nearest first, and the cosine of each with it."""

    answers: tuple[str, ...]
    scores: tuple[float, ...]

    @property
    def columns(self) -> dict[str, str | float]:
        """As a row of a table."""
        return {"answer": self.answers[0], "score": self.scores[0]}

    def json(self) -> dict[str, Any]:
        """As `lianzi predict` writes it."""
        both = zip(self.answers, self.scores, strict=True)
        return {"answers": [{"answer": answer, "score": round(score, 6)} for answer, score in both]}

    def __str__(self) -> str:
        both = list(zip(self.answers, self.scores, strict=True))[:SHOWN_ANSWERS]
        return " | ".join(f"{' '.join(answer.split())} {score:.3f}" for answer, score in both)


@dataclass(frozen=True)
class FoundSpan:
    """The answer to a question: the characters of its context from `start` up to before `end`, and the probability of
    the two; where there is none no text, and NO_PLACE for both."""

    text: str
    start: int
    end: int
    score: float

    @property
    def columns(self) -> dict[str, str | float]:
        """As a row of a table."""
        return {"answer": self.text, "start": self.start, "end": self.end, "score": self.score}

    def json(self) -> dict[str, Any]:
        """As `lianzi predict` writes it."""
        return {"answer": self.text, "start": self.start, "end": self.end, "score": round(self.score, 6)}

    def __str__(self) -> str:
        return f"{' '.join(self.text.split()) or '-'}\t{self.score:.3f}"


NO_PLACE = -1

Answer = Prediction | LabelSet | Estimate | Entities | Choice | FoundAnswers | FoundSpan


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


def predictions(task: Task, texts: Sequence[Text], outputs: np.ndarray) -> list[Prediction]:
    """The likeliest label of each text."""
    found = []
    for row in softmax(outputs).tolist():
        best = max(row)
        found.append(Prediction(task.labels[row.index(best)], best, dict(zip(task.labels, row, strict=True))))
    return found


def label_sets(task: Task, texts: Sequence[Text], outputs: np.ndarray) -> list[LabelSet]:
    """The labels of each text."""
    found = zip(task.values(task.decode(outputs)), sigmoid(outputs).tolist(), strict=True)
    return [LabelSet(tuple(labels), dict(zip(task.labels, row, strict=True))) for labels, row in found]


def estimates(task: Task, texts: Sequence[Text], outputs: np.ndarray) -> list[Estimate]:
    """The number of each text."""
    return [Estimate(number) for number in task.decode(outputs).tolist()]


def entities(task: Task, texts: Sequence[str], outputs: np.ndarray) -> list[Entities]:
    """The entities of each text."""
    best, tags = softmax(outputs).max(axis=-1, initial=0.0), task.decode(outputs)
    found = []
    for text, scores, row in zip(texts, best, tags, strict=True):
        words, every = task.words(text), []
        for first, end, label in task.entities(row):
            place, stop = words[first][0], words[end - 1][1]
            every.append(FoundEntity(place, stop, label, float(scores[first:end].mean()), text[place:stop]))
        found.append(Entities(tuple(every)))
    return found


def choices(task: Task, texts: Sequence[Text], outputs: np.ndarray) -> list[Choice]:
    """The best choice of each row."""
    found = []
    for text, row in zip(texts, softmax(outputs).tolist(), strict=True):
        scores = row[: len(task.sequences(text))]
        best = scores.index(max(scores))
        found.append(Choice(best, parts(text)[1 + best], scores[best], tuple(scores)))
    return found


def found_answers(task: Task, texts: Sequence[Text], outputs: np.ndarray) -> list[FoundAnswers]:
    """The nearest answers to each question, from its cosines with all of them."""
    found = []
    for row, numbers in zip(outputs, task.decode(outputs), strict=True):
        answers = tuple(task.passages[number] for number in numbers)
        found.append(FoundAnswers(answers, tuple(row[numbers].tolist())))
    return found


def _best_answers(task: Task, outputs: np.ndarray) -> list[str]:
    return list(task.values(task.decode(outputs)))


def _answers_in_json(task: Task, outputs: np.ndarray) -> list[str]:
    found = found_answers(task, (), outputs)
    return [json.dumps(one.json()["answers"], ensure_ascii=False) for one in found]


def spans(task: Task, texts: Sequence[Text], outputs: np.ndarray) -> list[FoundSpan]:
    """The answer to each question."""
    found = []
    numbers = outputs[:, :6].tolist()
    for text, (start, end, _, _, score, without), empty in zip(texts, numbers, task.unanswered(outputs), strict=True):
        place = (NO_PLACE, NO_PLACE) if empty else (int(start), int(end))
        found.append(FoundSpan("" if empty else parts(text)[1][slice(*place)], *place, without if empty else score))
    return found


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
