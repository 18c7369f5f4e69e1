"""A second teacher: counting words, mixed into the first one's answers (an ensemble taught to one model, Hinton 2015).

The two err on different rows, so their mean is better than either (docs/decisions/0042). On the rows it was fitted on
a regression is sure and mostly right, which teaches nothing: each training row is answered by one that has not seen it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from components.deployment.rows import read_learned, read_rows
from components.errors import DataError
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.tf_idf import TfIdf
from components.tasks.metrics import score
from components.tasks.rows import LabelShare
from components.tasks.task import Task

FOLDS = 5
SHARES = (0.0, 0.25, 0.5, 0.75)
"""What counting words may have of the soft labels. Not all of them: the student imitates a network, after all."""


@dataclass(frozen=True)
class WordCounts:
    """`share` of the soft labels, and the probabilities [rows, classes] of the training rows' labels."""

    share: float
    probabilities: Tensor

    @classmethod
    def of(cls, rows: Path, taken: LabelShare, task: Task, language: str, teacher: Tensor) -> WordCounts | None:
        """Counted in the training rows that are `taken`; `teacher`: its probabilities [rows, labels] on the validation
        rows, which decide the share. None where counting words adds nothing, or cannot be learnt from so few rows."""
        train, validation = read_learned(rows, task.labels, taken), read_rows(rows, "validation", task.labels)
        if np.bincount(train.targets).min(initial=FOLDS, where=np.bincount(train.targets) > 0) < FOLDS:
            return None
        try:
            baseline = TfIdf.tuned(TuningData(task, train, validation, language))
        except DataError:
            return None
        counted = baseline.probabilities(validation.texts, len(task.labels))
        share = best_share(task, teacher.double().numpy(), counted, validation.targets)
        if share == 0:
            return None
        return cls(share, torch.from_numpy(baseline.out_of_fold(train, FOLDS, len(task.labels))).float())

    def mixed(self, teacher: Tensor, counted: Tensor, temperature: float) -> Tensor:
        """Logits [n, classes] whose softmax at this temperature is the mixture of both teachers' softened answers;
        `teacher`: its logits, `counted`: probabilities."""
        # Softening a probability p at temperature T is p ** (1/T), brought to sum 1.
        softened = (counted.clamp_min(1e-6).log() / temperature).softmax(dim=1)
        both = (1 - self.share) * (teacher / temperature).softmax(dim=1) + self.share * softened
        return both.log() * temperature


def best_share(task: Task, teacher: np.ndarray, counted: np.ndarray, targets: np.ndarray) -> float:
    """The share of `counted` with which the mixture is best by the task's first metric; of equal ones the smallest."""
    metric = task.metrics[0]
    mixtures = ((1 - share) * teacher + share * counted for share in SHARES)
    scores = [metric.improvement(0.0, score(metric, targets, task.decode(mixture))) for mixture in mixtures]
    return SHARES[int(np.argmax(scores))]
