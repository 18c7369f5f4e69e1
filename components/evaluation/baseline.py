"""The baseline every model has to beat: TF-IDF features and a logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

FEATURES = {
    "en": {"analyzer": "word", "ngram_range": (1, 2), "min_df": 2},
    # Chinese is written without spaces; its characters carry the meaning of words.
    "zh": {"analyzer": "char", "ngram_range": (1, 3), "min_df": 2},
}


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline."""

    vectorizer: TfidfVectorizer
    classifier: LogisticRegression

    @classmethod
    def fit(cls, texts: Sequence[str], targets: np.ndarray, language: str) -> Baseline:
        """Fit on the training rows; the same rows give the same model (one thread, no random start)."""
        vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32, **FEATURES[language])
        # Balanced weights suit macro-F1; Newton's method converges where a loosely stopped L-BFGS would not.
        classifier = LogisticRegression(C=10, class_weight="balanced", solver="newton-cg", tol=1e-5)
        with threadpool_limits(1):
            classifier.fit(vectorizer.fit_transform(texts), targets)
        return cls(vectorizer, classifier)

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The index of the most likely label of each text."""
        return self.classifier.predict(self.vectorizer.transform(texts))

    def megabytes(self) -> float:
        """Of its weights, without the vocabulary."""
        return (self.classifier.coef_.nbytes + self.vectorizer.idf_.nbytes) / 1e6
