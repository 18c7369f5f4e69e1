"""A tagger of before: a linear-chain conditional random field (Lafferty et al. 2001) over features of words, by
CRFsuite (Okazaki 2007)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pycrfsuite

from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.hmm import looks
from components.evaluation.baselines.words import tagged, task_words
from components.tasks.metrics import score
from components.tasks.task import Task, padded

PENALTIES = (0.1, 1.0)
ITERATIONS = 100
AFFIX = 3
"""Letters of a word's beginning and end that are features."""


def features(words: Sequence[str]) -> list[list[str]]:
    """Of each word: itself, its look, its beginning and end, and of its neighbours the first two."""
    own = [list(_of_word(word)) for word in words]
    near = {-1: ["before the row"], 1: ["behind the row"]}
    return [
        [
            *mine,
            f"begins {word[:AFFIX].lower()}",
            f"ends {word[-AFFIX:].lower()}",
            *(
                f"{step:+d} {feature}"
                for step, edge in near.items()
                for feature in (own[place + step] if 0 <= place + step < len(own) else edge)
            ),
        ]
        for place, (word, mine) in enumerate(zip(words, own, strict=True))
    ]


def _of_word(word: str) -> Iterator[str]:
    yield f"is {word.lower()}"
    yield f"looks {looks(word)[0]}"


@dataclass(frozen=True)
class CrfChoice:
    """A setting. `penalty`: what large weights cost (L2)."""

    penalty: float

    def metrics(self) -> dict[str, float]:
        """As numbers, for a metrics file."""
        return {"penalty": self.penalty}

    def __str__(self) -> str:
        return f"words, their neighbours and affixes, L2 {self.penalty:g}"


@dataclass(frozen=True)
class Crf:
    """A fitted model, `weights` as CRFsuite writes them, and the setting it was chosen with."""

    task: Task
    weights: bytes
    choice: CrfChoice
    title = "linear-chain conditional random field"

    @classmethod
    def tuned(cls, data: TuningData) -> Crf:
        """Fitted to the training rows, with the penalty that is best by the task's first metric on the validation
        rows."""
        rows = [(features(words), tags) for words, tags in tagged(data.task, data.train)]
        every = [cls(data.task, _fitted(rows, penalty), CrfChoice(penalty)) for penalty in PENALTIES]
        metric, held = data.task.metrics[0], data.validation
        return max(every, key=lambda one: score(metric, held.targets, one.predict(held.texts)))

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The tag of each word, [texts, words]."""
        tagger = pycrfsuite.Tagger()
        tagger.open_inmemory(self.weights)
        return padded([[int(tag) for tag in tagger.tag(features(task_words(self.task, text)))] for text in texts])

    def megabytes(self) -> float:
        """Of its weights, with the names of the features."""
        return len(self.weights) / 1e6


def _fitted(rows: Sequence[tuple[Sequence[Sequence[str]], Sequence[int]]], penalty: float) -> bytes:
    """L-BFGS from weights of 0: the same rows give the same weights."""
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    trainer.set_params({"c1": 0.0, "c2": penalty, "max_iterations": ITERATIONS, "feature.possible_transitions": True})
    for row, tags in rows:
        trainer.append(row, [str(tag) for tag in tags])
    with tempfile.TemporaryDirectory() as folder:
        trainer.train(f"{folder}/crf")
        return Path(folder, "crf").read_bytes()
