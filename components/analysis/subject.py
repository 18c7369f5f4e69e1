"""What an analysis looks at, and what it gives: the contract of every file of this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from components.analysis.columns import with_given_columns
from components.deployment.rows import Rows, read_learned, read_rows
from components.deployment.temperature import picks_a_label
from components.evaluation.rungs import bundle_rung
from components.runtime.bundle import Classifier, load_bundle
from components.runtime.manifest import CLASSIFICATION, form_of, whole_bundle
from components.runtime.prediction import softmax
from components.tasks.kinds import task_of
from components.tasks.rows import LabelShare, read_split
from components.tasks.task import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Subject:
    """A bundle's candidate rung, and the rows it is looked at with.

    columns: the test rows as JSON lines, with every plain column that their file has. answers: those of the candidate
    to the test rows. probabilities: [rows, labels] of a head that picks one of its labels, else None. answer: texts ->
    answers of the same rung; probability: texts -> their probabilities, where it has any. bootstrap_samples,
    confidence: of every interval. train_columns: the rows of `train` as JSON lines.
    """

    task: Task
    name: str
    language: str
    train: Rows
    validation: Rows
    test: Rows
    columns: Sequence[Mapping[str, Any]]
    answers: np.ndarray
    probabilities: np.ndarray | None
    validation_probabilities: np.ndarray | None
    answer: Callable[[Sequence[Any]], np.ndarray]
    bundle: Path
    student: Path
    corpus: Path
    seed: int
    bootstrap_samples: int
    confidence: float
    probability: Callable[[Sequence[Any]], np.ndarray] | None = None
    train_columns: Sequence[Mapping[str, Any]] = ()

    @property
    def ids(self) -> list[str]:
        """The name of each test row."""
        return [str(row["id"]) for row in self.columns]


class Table(NamedTuple):
    """Cells are shown as they are, numbers rounded."""

    header: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]


@dataclass(frozen=True)
class Analysis:
    """What an analysis says.

    metrics: JSON, finite, rounded to 6 digits. sentences: plain English, the worst first. tables: title -> table.
    figures: title -> picture. plots: file stem -> rows of a CSV for `dvc plots`. fragments: title -> HTML of the
    analysis' own making.
    """

    metrics: dict[str, Any]
    sentences: tuple[str, ...]
    tables: dict[str, Table] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    plots: dict[str, Table] = field(default_factory=dict)
    fragments: dict[str, str] = field(default_factory=dict)


def read_subject(
    name: str,
    language: str,
    rows: Path,
    given: Path,
    corpus: Path,
    student: Path,
    bundle: Path,
    share: LabelShare,
    seed: int,
    bootstrap_samples: int,
    confidence: float,
) -> Subject:
    """The candidate of a bundle with its answers, computed on one thread. given: data/tasks/NAME, for the columns that
    `rows` have not. Raises ArtifactError, DataError."""
    made = whole_bundle(bundle)
    task, labels = task_of(made), made["labels"]
    validation, test = (read_rows(rows, split, labels) for split in ("validation", "test"))
    answer: Callable[[Sequence[Any]], np.ndarray]
    probability: Callable[[Sequence[Any]], np.ndarray] | None = None
    if picks_a_label(task) and form_of(made) == CLASSIFICATION:
        classifier = load_bundle(bundle, made["candidate"])
        logits = classifier.logits(test.texts)
        answers, probabilities = task.decode(logits), softmax(logits)
        probability = partial(_probabilities, classifier)
        validation_probabilities = probability(validation.texts)
        answer = partial(_answers, task, classifier)
    else:
        answer = bundle_rung(task, bundle, made["candidate"])
        answers, probabilities, validation_probabilities = answer(test.texts), None, None
    return Subject(
        task=task,
        name=name,
        language=language,
        train=read_learned(rows, labels, share),
        validation=validation,
        test=test,
        columns=with_given_columns(read_split(rows / "test.jsonl", task), given),
        answers=answers,
        probabilities=probabilities,
        validation_probabilities=validation_probabilities,
        answer=answer,
        bundle=bundle,
        student=student,
        corpus=corpus,
        seed=seed,
        bootstrap_samples=bootstrap_samples,
        confidence=confidence,
        probability=probability,
        train_columns=share.read(rows, task),
    )


def _answers(task: Task, classifier: Classifier, texts: Sequence[Any]) -> np.ndarray:
    return task.decode(classifier.logits(texts))


def _probabilities(classifier: Classifier, texts: Sequence[Any]) -> np.ndarray:
    return softmax(classifier.logits(texts))
