"""What an analysis looks at, without a model: texts, targets and the answers that somebody made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components.analysis.subject import Subject
from components.deployment.rows import Rows
from components.tasks.classification import Classification
from components.tasks.task import Task


def small_subject(
    labels: Sequence[str],
    texts: Sequence[Any],
    targets: Sequence[int] | np.ndarray,
    answers: Sequence[int] | np.ndarray,
    probabilities: np.ndarray | None = None,
    answer: Callable[[Sequence[Any]], np.ndarray] | None = None,
    columns: Sequence[Mapping[str, Any]] = (),
    task: Task | None = None,
    **changes: Any,
) -> Subject:
    """A subject whose train and validation rows are its test rows too; `changes`: fields that differ from that.

    `columns`: of each test row further ones beside `id`, the text and the label.
    """
    kind = task or Classification(tuple(labels))
    rows = Rows(list(texts), np.asarray(targets))
    lines = [
        {"id": f"test/line-{number}", **kind.row(text, value), **more}
        for number, (text, value, more) in enumerate(
            zip(texts, kind.values(rows.targets), columns or [{}] * len(texts), strict=True), 1
        )
    ]
    found = np.asarray(answers)
    nowhere = Path("nowhere")
    fields: dict[str, Any] = {
        "task": kind,
        "name": "places",
        "language": "en",
        "train": rows,
        "validation": rows,
        "test": rows,
        "columns": lines,
        "answers": found,
        "probabilities": probabilities,
        "validation_probabilities": probabilities,
        "answer": answer or (lambda texts: found[: len(texts)]),
        "bundle": nowhere,
        "student": nowhere,
        "corpus": nowhere,
        "seed": 17,
        "bootstrap_samples": 200,
        "confidence": 0.95,
    }
    return Subject(**(fields | changes))
