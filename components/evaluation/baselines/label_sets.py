"""The baseline of several labels a text: TF-IDF features, and a logistic regression for each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from threadpoolctl import threadpool_limits

from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.tf_idf import FIRST_STRENGTH, STRENGTHS, Table, TfIdfChoice, features_of, tables
from components.tasks.metrics import MicroF1, score
from components.tasks.task import Text


@dataclass(frozen=True)
class LabelSetBaseline:
    """A fitted baseline, and the setting it was chosen with. A label is given where its probability reaches one half;
    balanced weights, which are tried, stand for other thresholds."""

    vectorizer: TfidfVectorizer
    classifier: OneVsRestClassifier
    choice: TfIdfChoice
    validation_micro_f1: float
    title = "TF-IDF + logistic regression for each label"

    @classmethod
    def tuned(cls, data: TuningData) -> LabelSetBaseline:
        """Fit on the training rows with the setting that has the best micro-F1 on the validation rows.

        The settings are those of one label a text. Raises DataError where the texts have nothing to count.
        """
        with threadpool_limits(1):
            firsts = [(cls._fitted(table, FIRST_STRENGTH, True), table) for table in tables(data)]
            best, table = max(firsts, key=lambda pair: pair[0].validation_micro_f1)
            others = [setting for setting in product(STRENGTHS, (True, False)) if setting != (FIRST_STRENGTH, True)]
            every = [best, *(cls._fitted(table, *setting) for setting in others)]
            return max(every, key=lambda fitted: fitted.validation_micro_f1)

    @classmethod
    def _fitted(cls, table: Table, strength: float, balanced: bool) -> LabelSetBaseline:
        one = LogisticRegression(
            C=strength, class_weight="balanced" if balanced else None, solver="liblinear", dual=True, tol=1e-2,
            max_iter=2000, random_state=0,
        )  # fmt: skip
        classifier = OneVsRestClassifier(one).fit(table.train, table.targets)
        reached = score(MicroF1(), table.expected, classifier.predict(table.validation))
        return cls(table.vectorizer, classifier, TfIdfChoice(table.grams, table.least, strength, balanced), reached)

    def predict(self, texts: Sequence[Text]) -> np.ndarray:
        """The labels of each text as 0 and 1, [texts, labels]."""
        found: np.ndarray = self.classifier.predict(features_of(self.vectorizer, texts))
        return found

    def megabytes(self) -> float:
        """Of its weights, without the vocabulary; a label that no training row has needs none."""
        weights = sum(one.coef_.nbytes for one in self.classifier.estimators_ if hasattr(one, "coef_"))
        return (weights + self.vectorizer.idf_.nbytes) / 1e6
