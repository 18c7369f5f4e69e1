"""The test rows that the candidate answers wrongly, the worst first, and which labels it takes for each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from components.analysis.subject import Subject
from components.modeling.kinds import CARRIES_ON
from components.tasks.metrics import Metric
from components.tasks.task import Column, Task, Text, parts

PAIRS = 5
"""Pairs of labels on the page."""
EXAMPLES = 2
"""Rows that each of them is shown by."""
TEXT, CELL = 300, 160
"""Characters of a row's text, and of a text in the table of an analysis."""


class Mistake(NamedTuple):
    """A row that is not answered as it should be. place: of the row among the test rows; degree: how bad it is, of an
    answer with a probability this probability, else the loss of the row by `measure`."""

    place: int
    id: str
    text: str
    expected: str
    answer: str
    degree: float


class Confusion(NamedTuple):
    """Rows of one label that are answered with another; examples: the most confident of them."""

    expected: str
    answer: str
    rows: int
    examples: tuple[Mistake, ...]


def measure(task: Task) -> Metric:
    """What a single row is judged by: of numbers how far the answer is off, since one row has no correlation."""
    return next((metric for metric in task.metrics if metric.own_unit), task.metrics[0])


def mistakes(subject: Subject) -> list[Mistake]:
    """Every row that is answered wrongly, or less than perfectly; the most confidently wrong first, and without
    probabilities the furthest off."""
    task = subject.task
    degrees, right = _degrees(subject)
    values = task.values(subject.answers)
    found = [
        Mistake(
            place,
            str(row["id"]),
            joined(subject.test.texts[place]),
            shown(task, row, row[task.target]) if task.target != "text" else "",
            shown(task, row, values[place]),
            float(degrees[place]),
        )
        for place, row in enumerate(subject.columns)
        if not right[place]
    ]
    return sorted(found, key=lambda one: (-one.degree, one.place))


def confusions(subject: Subject, found: list[Mistake]) -> list[Confusion]:
    """The pairs of labels that are confused most often; of a task whose rows have one label each, else none."""
    if subject.probabilities is None:
        return []
    counts = Counter((one.expected, one.answer) for one in found)
    top = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:PAIRS]
    return [
        Confusion(*pair, rows, tuple(one for one in found if (one.expected, one.answer) == pair)[:EXAMPLES])
        for pair, rows in top
    ]


def shown(task: Task, row: Mapping[str, Any], value: Any) -> str:
    """A target or an answer as a person reads it: of a choice its text, of tags the entities."""
    column = task.columns[task.target]
    if column == Column.CHOICE:
        return str(row["choices"][value])
    if column == Column.TAGS:
        words = task.words(row["text"])
        tags = task.targets([{**row, "tags": value}])[0]
        spans = ((label, row["text"][words[first][0] : words[end - 1][1]]) for first, end, label in task.entities(tags))
        return "; ".join(f"{label}: {' '.join(text.split())}" for label, text in spans) or "–"
    if column == Column.ANSWERS:
        value = list(dict.fromkeys(value["text"])) if isinstance(value, Mapping) else value
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value) or "–"


def joined(text: Text) -> str:
    """What a row is asked with as one text."""
    return " | ".join(parts(text))


def cut(text: str, length: int = TEXT) -> str:
    """The beginning of a text, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"


def _degrees(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """How bad each answer is, and whether it is right."""
    task, targets, answers = subject.task, subject.test.targets, subject.answers
    if subject.probabilities is not None:
        return subject.probabilities[np.arange(len(answers)), answers], answers == targets
    metric = measure(task)
    values = metric.value(metric.statistics(targets, answers))
    losses = 1 - values if metric.larger_is_better else values
    right: np.ndarray = losses <= 0
    if task.head != CARRIES_ON and not task.output.embeds:
        # Where neither the target nor the answer has anything, F1 is 0 and the answer is right.
        right = right | task.same(targets, answers)
    return losses, right
