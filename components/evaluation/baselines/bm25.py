"""The baseline of retrieval: passages ranked by the words they share with a query (BM25, Robertson et al. 1994)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import bm25s
import numpy as np

from components.deployment.rows import Rows
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.words import words
from components.tasks.metrics import score
from components.tasks.task import Task

K1, B = 1.5, 0.75
"""How soon a repeated word counts no more, and how much a long passage pays for its length."""
TRIED = tuple(product((0.9, K1), (0.4, B, 1.0), (False, True)))
"""k1, b, and whether a passage is indexed with the questions that training rows ask for it."""


@dataclass(frozen=True)
class Bm25:
    """Passages indexed by their words, `count` of them."""

    index: bm25s.BM25
    count: int

    @classmethod
    def of(cls, passages: Sequence[str], k1: float = K1, b: float = B) -> Bm25:
        """Weights as Lucene has them: idf is log(1 + (N - n + 0.5) / (n + 0.5)), which is never negative."""
        index = bm25s.BM25(k1=k1, b=b, method="lucene", dtype="float64")
        index.index([words(passage) or [""] for passage in passages], show_progress=False)
        return cls(index, len(passages))

    def scores(self, queries: Sequence[str]) -> np.ndarray:
        """Of every passage for every query, [queries, passages]; 0 where the two share no word."""
        found = np.zeros((len(queries), self.count))
        for number, query in enumerate(queries):
            known = [word for word in words(query) if word in self.index.vocab_dict]
            if known:
                found[number] = self.index.get_scores(known)
        return found


@dataclass(frozen=True)
class Bm25Choice:
    """The setting that was chosen."""

    k1: float
    b: float
    questions: bool

    def metrics(self) -> dict[str, float]:
        """As numbers, for a metrics file."""
        return {"k1": self.k1, "b": self.b, "questions": int(self.questions)}

    def __str__(self) -> str:
        told = " and the questions of training rows" if self.questions else ""
        return f"over answers{told}, k1 {self.k1:g}, b {self.b:g}"


@dataclass(frozen=True)
class Bm25Baseline:
    """Answers ranked by the words that they, or the questions asked for them before, share with a question."""

    task: Task
    bm25: Bm25
    choice: Bm25Choice
    title = "BM25"

    @classmethod
    def tuned(cls, data: TuningData) -> Bm25Baseline:
        """The setting of TRIED with the best first metric on the validation rows; of equal ones the first."""
        metric, held = data.task.metrics[0], data.validation
        fitted = [cls.fitted(data.task, data.train, Bm25Choice(*setting)) for setting in TRIED]
        return max(fitted, key=lambda one: score(metric, held.targets, one.predict(held.texts)))

    @classmethod
    def fitted(cls, task: Task, train: Rows, choice: Bm25Choice) -> Bm25Baseline:
        """With one setting."""
        passages = list(task.passages)
        for text, number in zip(train.texts, train.targets.tolist(), strict=True) if choice.questions else ():
            passages[number] += f"\n{text}"
        return cls(task, Bm25.of(passages, choice.k1, choice.b), choice)

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The numbers of the answers found for each text, the best first."""
        return self.task.decode(self.bm25.scores(texts))

    def megabytes(self) -> float:
        """Of its weights, without the vocabulary."""
        return (
            float(sum(array.nbytes for array in self.bm25.index.scores.values() if isinstance(array, np.ndarray))) / 1e6
        )
