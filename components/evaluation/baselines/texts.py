"""Baselines of tasks that are answered with a text: nothing is learned but which of three rules is the best."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from components.evaluation.baselines.baseline import TuningData
from components.tasks.metrics import rank_key, score
from components.tasks.task import Task

_SENTENCE = re.compile(r".+?(?:[。！？!?…]+|\.(?=\s)|\n|$)", re.DOTALL)


def whole(text: str) -> str:
    """The text itself."""
    return text


def first_sentence(text: str) -> str:
    """What lead-1 takes for a summary."""
    found = _SENTENCE.match(text)
    return found[0].strip() if found else text


RULES: dict[str, Callable[[str], str]] = {"the text itself": whole, "its first sentence (lead-1)": first_sentence}
FREQUENT = "the most frequent target"


@dataclass(frozen=True)
class TextChoice:
    """The rule that was chosen."""

    rule: str

    def metrics(self) -> dict[str, float]:
        """As numbers, for a metrics file."""
        return {"rule": [*RULES, FREQUENT].index(self.rule)}

    def __str__(self) -> str:
        return self.rule


@dataclass(frozen=True)
class TextBaseline:
    """One of RULES, or the target that most training rows have, whatever the text."""

    task: Task
    frequent: str
    choice: TextChoice
    title = "writing without a model"

    @classmethod
    def tuned(cls, data: TuningData) -> TextBaseline:
        """The rule with the best first metric on the validation rows; of equal ones the first."""
        task, metric, validation = data.task, data.task.metrics[0], data.validation
        [(frequent, _)] = Counter(task.values(data.train.targets)).most_common(1)
        every = [cls(task, frequent, TextChoice(rule)) for rule in (*RULES, FREQUENT)]

        def value(one: TextBaseline) -> float:
            return rank_key(metric, score(metric, validation.targets, one.predict(validation.texts)))

        return max(every, key=value)

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Its answers."""
        rule = RULES.get(self.choice.rule, lambda text: self.frequent)
        return self.task.written([rule(text) for text in texts])

    def megabytes(self) -> float:
        """Of what it keeps."""
        return len(self.frequent.encode()) / 1e6
