"""The baseline of a regression: TF-IDF features and ridge regression, tuned on the validation rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.tf_idf import Grams, Table, features_of, tables
from components.tasks.metrics import Pearson, score
from components.tasks.task import Text

STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True)
class RidgeChoice:
    """A setting. `least`: rows an n-gram stands in; `strength`: alpha, how much large weights cost."""

    grams: Grams
    least: int
    strength: float

    def metrics(self) -> dict[str, float]:
        """As numbers, for a metrics file."""
        return {**self.grams.metrics(), "min_df": self.least, "alpha": self.strength}

    def __str__(self) -> str:
        return f"{self.grams}, min_df {self.least}, alpha {self.strength:g}"


@dataclass(frozen=True)
class RidgeBaseline:
    """A fitted baseline, and the setting it was chosen with."""

    vectorizer: TfidfVectorizer
    model: Ridge
    choice: RidgeChoice
    validation_pearson: float
    title = "TF-IDF + ridge regression"

    @classmethod
    def tuned(cls, data: TuningData) -> RidgeBaseline:
        """Fit on the training rows with the setting that has the best correlation on the validation rows; of equal
        settings the first. Raises DataError where the texts have nothing to count."""
        with threadpool_limits(1):
            fitted = [_fitted(table, strength) for table in tables(data) for strength in STRENGTHS]
        return max(fitted, key=lambda one: one.validation_pearson)

    def predict(self, texts: Sequence[Text]) -> np.ndarray:
        """The number of each text."""
        numbers: np.ndarray = self.model.predict(features_of(self.vectorizer, texts)).astype(np.float64)
        return numbers

    def megabytes(self) -> float:
        """Of its weights, without the vocabulary."""
        return float(self.model.coef_.nbytes + self.vectorizer.idf_.nbytes) / 1e6


def _fitted(table: Table, strength: float) -> RidgeBaseline:
    model = Ridge(alpha=strength, solver="sparse_cg", tol=1e-6).fit(table.train, table.targets)
    reached = score(Pearson(), table.expected, model.predict(table.validation))
    return RidgeBaseline(table.vectorizer, model, RidgeChoice(table.grams, table.least, strength), reached)
