"""The classes of answers, each as a row of a table, as JSON and as a line for a person; and how outputs become them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from components.runtime.prediction import sigmoid, softmax
from components.tasks.task import Task, Text, parts

SHOWN_ANSWERS = 3
"""Of those found for a question, on a line for a person."""
NO_PLACE = -1
"""In place of where an answer begins and ends, where there is none."""


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


Answer = Prediction | LabelSet | Estimate | Entities | Choice | FoundAnswers | FoundSpan


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


def spans(task: Task, texts: Sequence[Text], outputs: np.ndarray) -> list[FoundSpan]:
    """The answer to each question."""
    found = []
    numbers = outputs[:, :6].tolist()
    for text, (start, end, _, _, score, without), empty in zip(texts, numbers, task.unanswered(outputs), strict=True):
        place = (NO_PLACE, NO_PLACE) if empty else (int(start), int(end))
        found.append(FoundSpan("" if empty else parts(text)[1][slice(*place)], *place, without if empty else score))
    return found
