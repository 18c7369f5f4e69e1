"""A classifier of before: vectors of words by skip-gram (Mikolov et al. 2013), and a linear layer over their mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from gensim.models import Word2Vec
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from components.errors import DataError
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.words import words
from components.tasks.metrics import score
from components.tasks.task import Text, parts

SIZE, WINDOW, EPOCHS = 100, 5, 10
RARE = 1e-3
"""A word of this share of all words counts half as much as a rare one (Arora et al. 2017)."""
STRENGTHS = (0.01, 0.1, 1.0)


@dataclass(frozen=True)
class WordVectors:
    """`numbers`: of each word its row of `matrix` [words + 1, SIZE], whose row 0, of zeros, is for words that were not
    seen; `weights` [words + 1]: what each counts in a mean."""

    numbers: dict[str, int]
    matrix: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[Sequence[str]], seed: int) -> WordVectors:
        """Learned from words in their order. One thread, so that the same texts give the same vectors.

        Raises DataError where there are none."""
        if not any(texts):
            raise DataError("the training rows have no words to learn vectors of", "look at their texts")
        model = Word2Vec(
            [list(text) for text in texts],
            vector_size=SIZE,
            window=WINDOW,
            min_count=1,
            sg=1,
            negative=5,
            epochs=EPOCHS,
            seed=seed,
            workers=1,
        )
        found = model.wv
        counts = np.array([found.get_vecattr(word, "count") for word in found.index_to_key], dtype=np.float64)
        weights = np.concatenate([[0.0], RARE / (RARE + counts / counts.sum())])
        matrix = np.concatenate([np.zeros((1, SIZE), dtype=np.float32), found.vectors])
        return cls({word: number for number, word in enumerate(found.index_to_key, 1)}, matrix, weights)

    def numbers_of(self, text: str) -> list[int]:
        """The rows of a text's words."""
        return [self.numbers.get(word, 0) for word in words(text)]

    def mean(self, text: Text) -> np.ndarray:
        """The weighted mean of a text's words; of two texts both means, how far they are apart, and their product
        (Conneau et al. 2017)."""
        rows = [self.numbers_of(part) for part in parts(text)]
        means = [self.weights[row] @ self.matrix[row] / max(self.weights[row].sum(), RARE) for row in rows]
        if len(means) == 2:
            means += [np.abs(means[0] - means[1]), means[0] * means[1]]
        return np.concatenate(means)


@dataclass(frozen=True)
class SkipGramChoice:
    """A setting. `strength`: C of the regression."""

    strength: float

    def metrics(self) -> dict[str, float]:
        """As numbers, for a metrics file."""
        return {"c": self.strength}

    def __str__(self) -> str:
        return f"{SIZE} dimensions, windows of {WINDOW}, C {self.strength:g}"


@dataclass(frozen=True)
class SkipGram:
    """A fitted classifier, and the setting it was chosen with."""

    vectors: WordVectors
    classifier: Pipeline
    choice: SkipGramChoice
    title = "skip-gram word vectors + logistic regression"

    @classmethod
    def tuned(cls, data: TuningData) -> SkipGram:
        """Vectors of the training rows alone, and the regression that is best by the task's first metric on the
        validation rows."""
        vectors = WordVectors.of([words(text) for text in data.train.every_text], data.seed)
        train, held = (np.stack([vectors.mean(text) for text in rows.texts]) for rows in (data.train, data.validation))
        fitted = {}
        with threadpool_limits(1):
            for strength in STRENGTHS:
                regression = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000)
                fitted[strength] = make_pipeline(StandardScaler(), regression).fit(train, data.train.targets)
        metric, expected = data.task.metrics[0], data.validation.targets
        best = max(fitted, key=lambda strength: score(metric, expected, fitted[strength].predict(held)))
        return cls(vectors, fitted[best], SkipGramChoice(best))

    def predict(self, texts: Sequence[Text]) -> np.ndarray:
        """The number of each text's likeliest label."""
        found: np.ndarray = self.classifier.predict(np.stack([self.vectors.mean(text) for text in texts]))
        return found

    def megabytes(self) -> float:
        """Of vectors and weights, without the words."""
        return float(self.vectors.matrix.nbytes + self.classifier[-1].coef_.nbytes) / 1e6
