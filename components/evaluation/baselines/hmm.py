"""A tagger of before: a hidden Markov model, whose states are the tags (Rabiner 1989; Brants 2000).

Transitions and emissions are counted in the training rows and smoothed by adding a constant (Lidstone). A word that was
never seen is emitted by what it looks like, as the words are that were seen once (Bikel et al. 1997): a tag with many
of these is open to new words. The likeliest tags of a row are found by Viterbi's algorithm (1967).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.words import tagged, task_words
from components.tasks.metrics import score
from components.tasks.task import Task, padded

ADDED = (0.001, 0.01, 0.1, 1.0)
SUFFIX = 2
"""Letters at a word's end that tell what it is."""
_LOOKS = (("digits", r"\d+"), ("capital", r"[A-Z]"), ("capitals", r"[A-Z]+"), ("name", r"[A-Z]\w*"), ("word", r"\w+"))


def looks(word: str) -> tuple[str, str]:
    """What a word looks like, and the same with its last letters."""
    look = next((name for name, pattern in _LOOKS if re.fullmatch(pattern, word)), "other")
    return look, f"{look} {word[-SUFFIX:].lower()}"


@dataclass(frozen=True)
class Counted:
    """How often each tag stands before another, `transitions` [tags + 1, tags + 1], where the last one is the row's
    end; `words`, `looks`: how often each tag has a word, and a look among the words that were seen once, [tags]."""

    transitions: np.ndarray
    words: dict[str, np.ndarray]
    looks: dict[str, np.ndarray]

    @classmethod
    def of(cls, rows: Sequence[tuple[Sequence[str], Sequence[int]]], tags: int) -> Counted:
        """Counted in rows of words and the numbers of their tags."""
        transitions = np.zeros((tags + 1, tags + 1))
        words: dict[str, np.ndarray] = {}
        for row, numbers in rows:
            for before, after in zip([tags, *numbers], [*numbers, tags], strict=True):
                transitions[before, after] += 1
            for word, number in zip(row, numbers, strict=True):
                words.setdefault(word, np.zeros(tags))[number] += 1
        seen: dict[str, np.ndarray] = {}
        for word, counts in words.items():
            if counts.sum() == 1:
                for look in looks(word):
                    seen[look] = seen.get(look, np.zeros(tags)) + counts
        return cls(transitions, words, seen)


@dataclass(frozen=True)
class HmmChoice:
    """A setting. `added`: to every count."""

    added: float

    def metrics(self) -> dict[str, float]:
        """As numbers, for a metrics file."""
        return {"added": self.added}

    def __str__(self) -> str:
        return f"{self.added:g} added to every count"


@dataclass(frozen=True)
class Hmm:
    """A fitted model, and the setting it was chosen with."""

    task: Task
    counted: Counted
    choice: HmmChoice
    title = "hidden Markov model"

    @classmethod
    def tuned(cls, data: TuningData) -> Hmm:
        """Counted in the training rows, with what is best to add by the task's first metric on the validation rows."""
        counted = Counted.of(tagged(data.task, data.train), len(data.task.labels))
        every = [cls(data.task, counted, HmmChoice(added)) for added in ADDED]
        metric, held = data.task.metrics[0], data.validation
        return max(every, key=lambda one: score(metric, held.targets, one.predict(held.texts)))

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The tag of each word, [texts, words]."""
        return padded([self._tags(task_words(self.task, text)) for text in texts])

    def _tags(self, words: Sequence[str]) -> list[int]:
        """The likeliest tags of a row's words together."""
        follows = _log_shares(self.counted.transitions + self.choice.added)
        if not words:
            return []
        best, before = follows[-1, :-1] + self._emissions(words[0]), []
        for word in words[1:]:
            paths = best[:, None] + follows[:-1, :-1]
            before.append(paths.argmax(axis=0))
            best = paths.max(axis=0) + self._emissions(word)
        tags = [int((best + follows[:-1, -1]).argmax())]
        for pointers in reversed(before):
            tags.append(int(pointers[tags[-1]]))
        return tags[::-1]

    def _emissions(self, word: str) -> np.ndarray:
        """Of each tag the logarithm of the probability that it has this word, or one that looks like it."""
        counted, added = self.counted, self.choice.added
        totals = counted.transitions[:-1].sum(axis=1) + added * (len(counted.words) + 1)
        if word in counted.words:
            return np.log((counted.words[word] + added) / totals)
        of_look, of_end = looks(word)
        found = counted.looks.get(of_end, counted.looks.get(of_look, np.zeros(len(totals))))
        return np.log((found + added) / totals)

    def megabytes(self) -> float:
        """Of its counts, without the words."""
        return (self.counted.transitions.nbytes + 8 * len(self.counted.words) * len(self.task.labels)) / 1e6


def _log_shares(counts: np.ndarray) -> np.ndarray:
    return np.log(counts / counts.sum(axis=1, keepdims=True))
