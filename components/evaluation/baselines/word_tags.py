"""The baseline of a tagger: each word has the tag that it has most often in the training rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.deployment.rows import Rows
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.words import tagged, task_words
from components.tasks.metrics import score
from components.tasks.task import Task, padded


@dataclass(frozen=True)
class WordTagsChoice:
    """A setting: whether `Paris` and `paris` are one word; `words`: how many are known."""

    lower_case: bool
    words: int

    def metrics(self) -> dict[str, float]:
        """As numbers, for a metrics file."""
        return {"lower_case": int(self.lower_case), "words": self.words}

    def __str__(self) -> str:
        return f"{self.words:,} words{', in lower case' if self.lower_case else ''}"


@dataclass(frozen=True)
class WordTags:
    """A fitted baseline, and the setting it was chosen with. `usual`: the tag of words that it has not seen."""

    task: Task
    tags: dict[str, int]
    usual: int
    choice: WordTagsChoice
    title = "each word's most frequent tag"

    @classmethod
    def tuned(cls, data: TuningData) -> WordTags:
        """Count in the training rows, in the letters that the text has or in lower case: whichever is better by the
        task's first metric on the validation rows."""
        fitted = [cls._counted(data.task, data.train, lower_case) for lower_case in (False, True)]
        metric, held = data.task.metrics[0], data.validation
        return max(fitted, key=lambda one: score(metric, held.targets, one.predict(held.texts)))

    @classmethod
    def _counted(cls, task: Task, train: Rows, lower_case: bool) -> WordTags:
        counts: dict[str, Counter[int]] = {}
        for words, row in tagged(task, train):
            for word, tag in zip(_cased(words, lower_case), row, strict=True):
                counts.setdefault(word, Counter())[tag] += 1
        total = sum(counts.values(), Counter())
        tags = {word: found.most_common(1)[0][0] for word, found in counts.items()}
        return cls(task, tags, total.most_common(1)[0][0], WordTagsChoice(lower_case, len(tags)))

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The tag of each word, [texts, words]."""
        every = (_cased(task_words(self.task, text), self.choice.lower_case) for text in texts)
        return padded([[self.tags.get(word, self.usual) for word in words] for words in every])

    def megabytes(self) -> float:
        """A byte a word, without the vocabulary."""
        return len(self.tags) / 1e6


def _cased(words: list[str], lower_case: bool) -> list[str]:
    return [word.lower() for word in words] if lower_case else words
