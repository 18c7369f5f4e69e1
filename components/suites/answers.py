"""A system's answers to a suite's own rows, and their official scores.

All rows that a suite publishes are answered, those too that curation took out of the pipeline's test rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components.corpus.record import Record
from components.corpus.row_form import form_of
from components.suites.sources import question_row
from components.suites.suite import Part, Raw, SuiteTask
from components.tasks.config import TaskConfig
from components.tasks.task import Column, Task
from components.tasks.token_classification import OUTSIDE, words_of

Answer = Callable[[Sequence[Any]], np.ndarray]


def answered(
    task: SuiteTask, config: TaskConfig, kind: Task, answer: Answer, split: str, rows: Sequence[Raw]
) -> list[Any]:
    """A system's answer to each row, as targets are written: labels, numbers, texts, or a tag a token."""
    form = form_of(config)
    texts = []
    for number, raw in enumerate(rows):
        record = Record(Path(split), number + 1, question_row(task, split, number, raw))
        read = form.read(record)
        assert read is not None  # a published row is a row
        texts.append(read[0][0] if len(read[0]) == 1 else read[0])
    if not texts:
        return []
    values = kind.values(answer(texts))
    if kind.columns[kind.target] == Column.TAGS:
        values = [tags_of_tokens(raw["tokens"], tags) for raw, tags in zip(rows, values, strict=True)]
    return [task.finish(raw, value) for raw, value in zip(rows, values, strict=True)]


def tags_of_tokens(tokens: Sequence[str], tags: Sequence[str]) -> list[str]:
    """The tag of each token of a file, from those of the words of its text: that of its first word."""
    text = " ".join(tokens)
    begun = {begin: tag for (begin, _), tag in zip(words_of(text), tags, strict=False)}
    found, place = [], 0
    for token in tokens:
        found.append(begun.get(place, OUTSIDE))
        place += len(token) + 1
    return found


def scored(task: SuiteTask, part: Part, rows: Sequence[Raw], answers: Sequence[Any]) -> dict[str, float]:
    """The official metrics of a part; nothing where its labels are hidden."""
    targets = [_gold(task.target(raw)) for raw in rows]
    known = [place for place, target in enumerate(targets) if target is not None]
    if not known:
        return {}
    chosen = ([column[place] for place in known] for column in (rows, targets, answers))
    return {name: round(value, 6) for name, value in task.score(*chosen).items()}


def _gold(target: Any) -> Any:
    """Of a question the texts of its right answers."""
    return target["text"] if isinstance(target, Mapping) else target
