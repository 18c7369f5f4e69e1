"""The baseline of multiple choice: the choice most like its text, the longest, the shortest, or the most frequent
place, whichever is best on the validation rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from components.evaluation.baselines.baseline import TuningData
from components.tasks.metrics import score
from components.tasks.task import Text, parts

RULES = ("overlap", "longest", "shortest", "place")
"""What a row's choices are compared by."""


@dataclass(frozen=True)
class ChoiceRule:
    """A rule, as its number among RULES in metrics files."""

    name: str

    def metrics(self) -> dict[str, float]:
        """As numbers, for a metrics file."""
        return {"rule": RULES.index(self.name)}

    def __str__(self) -> str:
        told = {"overlap": "the cosine of TF-IDF", "place": "the most frequent place"}
        return told.get(self.name, f"the {self.name} choice")


@dataclass(frozen=True)
class NearestChoice:
    """A fitted baseline, and the rule it was chosen with. `place`: where the right choice mostly is."""

    vectorizer: TfidfVectorizer
    place: int
    choice: ChoiceRule
    title = "the choice with the text's words"

    @classmethod
    def tuned(cls, data: TuningData) -> NearestChoice:
        """The rule that is best on the validation rows, of equal ones the first."""
        analyzer = "char" if data.language == "zh" else "word"
        pattern = None if analyzer == "char" else r"\w+"
        vectorizer = TfidfVectorizer(analyzer=analyzer, token_pattern=pattern, dtype=np.float32)
        vectorizer.fit(data.train.every_text)
        place = int(np.bincount(data.train.targets).argmax())
        fitted = [cls(vectorizer, place, ChoiceRule(name)) for name in RULES]
        metric, held = data.task.metrics[0], data.validation
        return max(fitted, key=lambda one: score(metric, held.targets, one.predict(held.texts)))

    def predict(self, texts: Sequence[Text]) -> np.ndarray:
        """The number of each row's choice."""
        return np.array([self._best(*parts(text)) for text in texts], dtype=np.int64)

    def _best(self, text: str, *choices: str) -> int:
        if self.choice.name == "place":
            return min(self.place, len(choices) - 1)
        if self.choice.name == "overlap":
            rows = self.vectorizer.transform([text, *choices])
            return int((rows[1:] @ rows[:1].T).toarray()[:, 0].argmax())
        lengths = [len(choice) if self.choice.name == "longest" else -len(choice) for choice in choices]
        return lengths.index(max(lengths))

    def megabytes(self) -> float:
        """Of its weights, without the vocabulary."""
        return float(self.vectorizer.idf_.nbytes) / 1e6
