"""What a bundle answers with, by the form of its task's outputs: a label, a number, or the entities in a text.

Whoever shows an answer, on a screen, as JSON or as a tensor, asks its form, and knows no kind of task by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from components.runtime.prediction import softmax
from components.tasks.task import Task


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


Answer = Prediction | Estimate | Entities


@dataclass(frozen=True)
class AnswerForm:
    """`outputs`: what a server gives, name -> datatype and axes, an axis "labels" as long as there are labels;
    `nothing`: what stands for an answer to a blank text; `answers`: those to some texts, from what `task_outputs`
    gives."""

    outputs: Mapping[str, tuple[str, tuple[str, ...]]]
    nothing: Mapping[str, Any]
    answers: Callable[[Task, Sequence[str], np.ndarray], Sequence[Answer]]

    @property
    def of_text(self) -> tuple[str, ...]:
        """The outputs that need the text itself, beside its tokens."""
        return ("entities",) if "entities" in self.outputs else ()


def predictions(task: Task, texts: Sequence[str], outputs: np.ndarray) -> list[Prediction]:
    """The likeliest label of each text."""
    found = []
    for row in softmax(outputs).tolist():
        best = max(row)
        found.append(Prediction(task.labels[row.index(best)], best, dict(zip(task.labels, row, strict=True))))
    return found


def estimates(task: Task, texts: Sequence[str], outputs: np.ndarray) -> list[Estimate]:
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


LABEL = AnswerForm(
    {"label": ("BYTES", ("",)), "scores": ("FP32", ("", "labels")), "logits": ("FP32", ("", "labels"))},
    {"label": None, "scores": {}},
    predictions,
)
NUMBER = AnswerForm(
    {"number": ("FP32", ("",)), "logits": ("FP32", ("", "labels"))},
    {"number": None},
    estimates,
)
ENTITIES = AnswerForm(
    {"entities": ("BYTES", ("",)), "logits": ("FP32", ("", "", "labels"))},
    {"entities": []},
    entities,
)
FORMS = (LABEL, NUMBER, ENTITIES)


def form_of(task: Task) -> AnswerForm:
    """The form of a task's answers."""
    if task.output.per_token:
        return ENTITIES
    return LABEL if task.output.kind == "categorical" else NUMBER
