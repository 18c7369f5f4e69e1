"""The baseline every model has to beat: TF-IDF features and a logistic regression, tuned on the validation rows.

An untuned one flatters the model: on short questions the best setting is five points above a fixed one. The search is
small, and it fits in seconds: first the n-grams and their least count, then the regression's strength and weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from threadpoolctl import threadpool_limits

from components.deployment.rows import Rows
from components.errors import DataError
from components.evaluation.baselines.baseline import TuningData
from components.tasks.metrics import MacroF1, score
from components.tasks.task import Text


@dataclass(frozen=True)
class Grams:
    """N-grams of words, or of characters: `char_wb` within words, `char` across them."""

    analyzer: str
    shortest: int
    longest: int

    def metrics(self) -> dict[str, float]:
        """As numbers, for a metrics file."""
        return {"characters": int(self.analyzer != "word"), "longest_n_gram": self.longest}

    def __str__(self) -> str:
        unit = {"word": "words", "char": "characters", "char_wb": "characters within words"}[self.analyzer]
        return f"{self.shortest} to {self.longest} {unit}"


WORDS = {
    "en": (Grams("word", 1, 1), Grams("word", 1, 2)),
    # Chinese is written without spaces; its characters carry the meaning of words.
    "zh": (Grams("char", 1, 2), Grams("char", 1, 3)),
}
PARTS_OF_WORDS = Grams("char_wb", 2, 5)
"""Tried for English too where there is little text: there they find what word counts miss, and cost little."""
LITTLE_TEXT = 1_000_000
"""Characters of the training rows; above it parts of words take minutes, and won nothing (`topic`)."""
MAX_FEATURES = 100_000
"""The most frequent; more of them made no baseline better, and each costs time."""
LEAST_COUNTS = (1, 2)
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
FIRST_STRENGTH = 30.0
"""With balanced weights, while the n-grams are compared."""


@dataclass(frozen=True)
class TfIdfChoice:
    """A setting. `least`: rows an n-gram stands in; `strength`: C of the regression; `balanced`: rare labels count
    as much as frequent ones."""

    grams: Grams
    least: int
    strength: float
    balanced: bool

    def metrics(self) -> dict[str, float]:
        """As numbers, for a metrics file."""
        own = {"min_df": self.least, "c": self.strength, "balanced": int(self.balanced)}
        return {**self.grams.metrics(), **own}

    def __str__(self) -> str:
        weights = "balanced" if self.balanced else "equal"
        return f"{self.grams}, min_df {self.least}, C {self.strength:g}, {weights} class weights"


@dataclass(frozen=True)
class TfIdf:
    """A fitted baseline, and the setting it was chosen with."""

    vectorizer: TfidfVectorizer
    classifier: OneVsRestClassifier
    choice: TfIdfChoice
    validation_macro_f1: float
    title = "TF-IDF + logistic regression"

    @classmethod
    def tuned(cls, data: TuningData) -> TfIdf:
        """Fit on the training rows with the setting that has the best macro-F1 on the validation rows.

        The same rows give the same model: one thread, one seed, and of equal settings the first. Raises DataError where
        the texts have nothing to count.
        """
        with threadpool_limits(1):
            every_table = tables(data)
            firsts = [(table.fitted(FIRST_STRENGTH, True), table) for table in every_table]
            best, table = max(firsts, key=lambda pair: pair[0].validation_macro_f1)
            others = [setting for setting in product(STRENGTHS, (True, False)) if setting != (FIRST_STRENGTH, True)]
            every = [best, *(table.fitted(*setting) for setting in others)]
            return max(every, key=lambda fitted: fitted.validation_macro_f1)

    def predict(self, texts: Sequence[Text]) -> np.ndarray:
        """The index of the most likely label of each text."""
        return self.classifier.predict(features_of(self.vectorizer, texts))

    def probabilities(self, texts: Sequence[Text], classes: int) -> np.ndarray:
        """Of each label, [texts, classes]; 0 for a label without a training row."""
        return _of_every_label(self.classifier, features_of(self.vectorizer, texts), classes)

    def out_of_fold(self, train: Rows, folds: int, classes: int) -> np.ndarray:
        """Probabilities [rows, classes] of the training rows, each by a regression that was fitted without it."""
        # The n-grams are those of all rows: how frequent a word is tells nothing about a label.
        features = features_of(self.vectorizer, train.texts)
        found = np.zeros((len(train.texts), classes))
        with threadpool_limits(1):
            for seen, held in StratifiedKFold(folds, shuffle=True, random_state=0).split(features, train.targets):
                fitted = clone(self.classifier).fit(features[seen], train.targets[seen])
                found[held] = _of_every_label(fitted, features[held], classes)
        return found

    def megabytes(self) -> float:
        """Of its weights, without the vocabulary."""
        weights = sum(one.coef_.nbytes for one in self.classifier.estimators_)
        return (weights + self.vectorizer.idf_.nbytes) / 1e6


@dataclass(frozen=True)
class Table:
    """The training and validation rows as TF-IDF features of one kind."""

    grams: Grams
    least: int
    vectorizer: TfidfVectorizer
    train: csr_matrix
    targets: np.ndarray
    validation: csr_matrix
    expected: np.ndarray

    @classmethod
    def of(cls, grams: Grams, least: int, train: Rows, validation: Rows) -> Table | None:
        """None where no n-gram of this kind stands in so many rows."""
        vectorizer = TfidfVectorizer(
            analyzer=grams.analyzer,
            ngram_range=(grams.shortest, grams.longest),
            min_df=least,
            max_features=MAX_FEATURES,
            sublinear_tf=True,
            dtype=np.float32,
        )
        try:
            features = vectorizer.fit_transform(train.every_text)
        except ValueError:  # of scikit-learn: an empty vocabulary
            return None
        if len(train.every_text) > len(train.texts):
            features = features_of(vectorizer, train.texts)
        held = features_of(vectorizer, validation.texts)
        return cls(grams, least, vectorizer, features, train.targets, held, validation.targets)

    def fitted(self, strength: float, balanced: bool) -> TfIdf:
        """One regression a label: a tenth of the time of a common one, and as good (within 0.003 on `topic`)."""
        weights = "balanced" if balanced else None
        one = LogisticRegression(
            C=strength, class_weight=weights, solver="liblinear", dual=True, tol=1e-2, max_iter=2000, random_state=0
        )
        classifier = OneVsRestClassifier(one).fit(self.train, self.targets)
        metric = MacroF1(1 + max(self.targets.max(), self.expected.max()))
        reached = score(metric, self.expected, classifier.predict(self.validation))
        return TfIdf(self.vectorizer, classifier, TfIdfChoice(self.grams, self.least, strength, balanced), reached)


def tables(data: TuningData) -> list[Table]:
    """The rows as features of every kind to try. Raises DataError where the texts have nothing to count."""
    kinds = _kinds(data.train.every_text, data.language)
    found = [table for kind in kinds if (table := Table.of(*kind, data.train, data.validation))]
    if not found:
        raise DataError("the training rows have no words to count", "look at their texts")
    return found


def features_of(vectorizer: TfidfVectorizer, texts: Sequence[Text]) -> csr_matrix:
    """TF-IDF of each row's text; of two texts that of either, of the words that both have, and their cosine."""
    if not texts or isinstance(texts[0], str):
        return vectorizer.transform(texts)
    sides = [vectorizer.transform(side) for side in zip(*texts, strict=True)]
    shared = sides[0].multiply(sides[1])
    return hstack([*sides, shared, shared.sum(axis=1)], format="csr", dtype=np.float32)


def _of_every_label(classifier: OneVsRestClassifier, features: csr_matrix, classes: int) -> np.ndarray:
    found = np.zeros((features.shape[0], classes))
    found[:, classifier.classes_] = classifier.predict_proba(features)
    return found


def _kinds(texts: Sequence[str], language: str) -> Iterator[tuple[Grams, int]]:
    """The n-grams and least counts to try."""
    kinds = list(WORDS[language])
    if language == "en" and sum(map(len, texts)) <= LITTLE_TEXT:
        kinds.append(PARTS_OF_WORDS)
    return product(kinds, LEAST_COUNTS)
