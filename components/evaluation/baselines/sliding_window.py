"""The baseline of question answering: of all spans of a context the one that stands among the question's words (sliding
window: Richardson 2013, Rajpurkar 2016) and looks as training answers to such questions do."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product
from typing import Any

import numpy as np

from components.evaluation.baselines.baseline import TuningData
from components.tasks.metrics import score
from components.tasks.task import Text, parts

WIDTHS = (3, 8, 20)
"""Words on either side of a span that are looked at."""
WEIGHTS = (0.1, 0.3, 1.0)
"""Of the form of an answer, beside its place."""
SHARES = (0.0, 0.1, 0.2, 0.3, 0.5)
"""Of questions that are left without an answer: those whose best span is the worst."""
LONGEST = 8
"""Words of a span."""
COMMON = 0.02
"""Share of the questions that a word stands in which says what is asked for."""

Form = tuple[int, str]
"""How many words an answer has, and what kind of characters."""

_WORD = re.compile(r"[\u4e00-\u9fff]|(?:(?![\u4e00-\u9fff])[^\W\d_])+|\d+|[^\w\s]")
_KINDS = ((re.compile(r"\d"), "0"), (re.compile(r"[\u4e00-\u9fff]"), "字"), (re.compile(r"[^\W\d]"), "x"))


def form_of(words: Sequence[str]) -> Form:
    """Words in capitals, in small letters, digits and signs, each kind once where it repeats."""
    return len(words), "".join(kind for kind, _ in groupby(map(_kind, words)))


def _kind(word: str) -> str:
    found = next((kind for pattern, kind in _KINDS if pattern.match(word)), word)
    return "X" if found == "x" and word[0].isupper() else found


@dataclass(frozen=True)
class Setting:
    """Words on either side, the weight of the form, and the score below which there is no answer."""

    width: int
    weight: float
    least: float = -math.inf

    def metrics(self) -> dict[str, float]:
        """As numbers, for a metrics file."""
        least = {} if math.isinf(self.least) else {"least": round(self.least, 6)}
        return {"width": self.width, "weight": self.weight, **least}

    def __str__(self) -> str:
        return f"{self.width} words on either side"


@dataclass(frozen=True)
class Forms:
    """How often training answers have each form, and how often the questions of each have each common word."""

    counts: Counter[Form]
    words: Mapping[Form, Counter[str]]
    common: frozenset[str]

    @classmethod
    def of(cls, questions: Sequence[Sequence[str]], answers: Sequence[Sequence[str]]) -> Forms:
        seen = Counter(word for question in questions for word in {*question})
        common = frozenset(word for word, count in seen.items() if count >= max(2, COMMON * len(questions)))
        counts: Counter[Form] = Counter()
        words: dict[Form, Counter[str]] = {}
        for question, answer in zip(questions, answers, strict=True):
            counts[form_of(answer)] += 1
            words.setdefault(form_of(answer), Counter()).update(common & {*question})
        return cls(counts, words, common)

    def likely(self, question: Sequence[str]) -> dict[Form, float]:
        """Of each form the logarithm of its probability, by naive Bayes."""
        asked = self.common & {*question}
        return {
            form: math.log(count) + sum(math.log((self.words[form][word] + 1) / (count + 2)) for word in asked)
            for form, count in self.counts.items()
        }


@dataclass(frozen=True)
class Candidates:
    """The spans of a context: their words, from one up to before another, and how likely their form is; `found`: of
    each word of the context its weight, where the question has it; `places`: its characters."""

    context: str
    places: Sequence[tuple[int, int]]
    found: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    forms: np.ndarray

    def best(self, setting: Setting) -> tuple[float, str]:
        """The best span's score and its text."""
        if not len(self.begins):
            return -math.inf, ""
        sums = np.concatenate([[0.0], self.found.cumsum()])
        inside = sums[self.ends] - sums[self.begins]
        around = sums[np.minimum(self.ends + setting.width, len(self.found))]
        around = around - sums[np.maximum(self.begins - setting.width, 0)]
        # What the question says itself is no answer to it.
        scores = around - 3 * inside + setting.weight * self.forms
        place = int(scores.argmax())
        span = slice(self.places[self.begins[place]][0], self.places[self.ends[place] - 1][1])
        return float(scores[place]), self.context[span]


@dataclass(frozen=True)
class SlidingWindow:
    """A fitted baseline and its setting. `rarity`: the weight of each word of the training contexts."""

    task: Any
    forms: Forms
    rarity: Mapping[str, float]
    choice: Setting
    title = "the span among the question's words"

    @classmethod
    def tuned(cls, data: TuningData) -> SlidingWindow:
        """The setting that is best on the validation rows, of equal ones the first."""
        rows = [(words(question), words(context)) for question, context in data.train.texts]
        seen = Counter(word for _, context in rows for word in {*context})
        rarity = {word: math.log(1 + len(rows) / count) for word, count in seen.items()}
        right = [answer.partition("\0")[0] for answer in data.task.values(data.train.targets)]
        answered = [(question, words(answer)) for (question, _), answer in zip(rows, right, strict=True) if answer]
        forms = Forms.of([question for question, _ in answered], [answer for _, answer in answered])
        fitted = cls(data.task, forms, rarity, Setting(WIDTHS[0], WEIGHTS[0]))
        held = [fitted.candidates(text) for text in data.validation.texts]
        shares = SHARES if len(answered) < len(rows) else (0.0,)
        metric, best, reached = data.task.metrics[0], fitted, -1.0
        for width, weight in product(WIDTHS, WEIGHTS):
            found = [one.best(Setting(width, weight)) for one in held]
            for share in shares:
                # Not interpolated: between a span's score and that of none, -inf, there is no number.
                scores = [number for number, _ in found]
                least = float(np.quantile(scores, share, method="higher")) if share else -math.inf
                texts = [text if number >= least else "" for number, text in found]
                if (value := score(metric, data.validation.targets, data.task.written(texts))) > reached:
                    best, reached = replace(fitted, choice=Setting(width, weight, least)), value
        return best

    def predict(self, texts: Sequence[Text]) -> np.ndarray:
        """The answer to each question."""
        found = [self.candidates(text).best(self.choice) for text in texts]
        answers: np.ndarray = self.task.written([text if number >= self.choice.least else "" for number, text in found])
        return answers

    def candidates(self, text: Text) -> Candidates:
        """The spans whose form an answer had, to this question about this context."""
        question, context = parts(text)
        asked, likely = words(question), self.forms.likely(words(question))
        places = [found.span() for found in _WORD.finditer(context)]
        given = [context[begin:end] for begin, end in places]
        wanted = {word.lower() for word in asked}
        found = np.array([self.rarity.get(word, 0.0) if word.lower() in wanted else 0.0 for word in given])
        spans = [
            (begin, end, likely[form])
            for begin in range(len(given))
            for end in range(begin + 1, min(begin + LONGEST, len(given)) + 1)
            if (form := form_of(given[begin:end])) in likely
        ]
        begins, ends, forms = (np.array(column) for column in zip(*spans, strict=True)) if spans else [np.zeros(0)] * 3
        return Candidates(context, places, found, begins, ends, forms)

    def megabytes(self) -> float:
        """Of its weights, without the words."""
        return 8 * (len(self.rarity) + sum(map(len, self.forms.words.values()))) / 1e6


def words(text: str) -> list[str]:
    """A text's words, digits and signs; Chinese characters one by one."""
    return _WORD.findall(text)
