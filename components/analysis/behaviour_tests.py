"""CheckList's tests of behaviour (Ribeiro et al. 2020): a text and what it becomes, and what the answer must then do.

INV, invariance: the answer stays. DIR, direction: the probability of a label must not fall, or must not rise, by more
than TOLERANCE. The user's templates stand in params.yaml; of tasks with polar labels (positive and negative), which the
user names, negation and a further sentence of praise or complaint are tested on the test rows as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from components.analysis.rates import Rate
from components.analysis.subject import Subject

if TYPE_CHECKING:
    from components.analysis.config import BehaviourTest, PolarLabels, RobustnessConfig

TOLERANCE = 0.1
"""How much a probability may go the wrong way before a test fails, as in CheckList."""
PRAISE = {"en": "I love it.", "zh": "我很喜欢。"}
COMPLAINT = {"en": "I hate it.", "zh": "我很讨厌。"}

_VERB = re.compile(
    r"\b(is|are|was|were|am|will|would|can|could|should|must|does|do|did)\b(?!n't)( not\b)?", re.IGNORECASE
)
_DENIED = re.compile(r"(?<=[a-z])n't\b", re.IGNORECASE)
_NOT = re.compile("不是|不喜欢|不喜歡|不推荐|不推薦|不值得|不好|没有|沒有")
_PLAIN = re.compile("是|喜欢|喜歡|推荐|推薦|值得|好看|好吃|好用|好玩")


@dataclass(frozen=True)
class TestResult:
    """How many cases of a test fail, and one of them."""

    __test__ = False  # for pytest: nothing to collect

    name: str
    rate: Rate
    expected: str
    example: str = ""

    def metrics(self) -> dict[str, Any]:
        return {"cases": self.rate.total, "failure_rate": self.rate.metrics()}

    def sentence(self) -> str:
        told = f"{self.name}: {self.rate} of {self.rate.total:,} cases fail ({self.expected})"
        return f"{told}, for one {self.example}" if self.example else told


def run_tests(config: RobustnessConfig, subject: Subject, rows: np.ndarray) -> tuple[TestResult, ...]:
    """The tests of this task; of whatever has no probabilities, those alone that ask for the same answer. The one that
    fails most first."""
    found = [
        result
        for test in config.tests
        if test.task == subject.name and (result := _of_templates(test, subject)) is not None
    ]
    for polar in config.polar_labels:
        if {polar.positive, polar.negative} <= {*subject.task.labels} and subject.probability is not None:
            found += _of_polar_rows(polar, subject, rows, subject.probability)
    return tuple(sorted(found, key=lambda one: (-one.rate.value, one.name)))


def cases(test: BehaviourTest) -> list[tuple[str, str]]:
    """Both templates with every combination of the words that fill them."""
    names = sorted(test.fill)
    fillings = (dict(zip(names, words, strict=True)) for words in product(*(test.fill[name] for name in names)))
    return [(test.before.format(**words), test.after.format(**words)) for words in fillings]


def negated(text: str, language: str) -> str | None:
    """The text with its first plain verb denied, or its first denial taken out; None where neither is known."""
    if language == "zh":
        if found := _NOT.search(text):
            return text[: found.start()] + text[found.start() + 1 :]
        plain = _PLAIN.search(text)
        return None if plain is None else f"{text[: plain.start()]}不{text[plain.start() :]}"
    if _DENIED.search(text) and not re.search(r"\b(can|won)'t\b", text, re.IGNORECASE):
        return _DENIED.sub("", text, count=1)
    verb = _VERB.search(text)
    if verb is None:
        return None
    return text[: verb.start()] + (verb[1] if verb[2] else f"{verb[1]} not") + text[verb.end() :]


def _of_templates(test: BehaviourTest, subject: Subject) -> TestResult | None:
    pairs = cases(test)
    befores, afters = [before for before, _ in pairs], [after for _, after in pairs]
    if test.expect == "same":
        fails = ~subject.task.same(subject.answer(befores), subject.answer(afters))
        expected = "the answer stays"
    elif subject.probability is None or test.label not in subject.task.labels:
        return None
    else:
        place = subject.task.labels.index(test.label)
        rises = subject.probability(afters)[:, place] - subject.probability(befores)[:, place]
        fails = rises < -TOLERANCE if test.expect == "up" else rises > TOLERANCE
        expected = f"{test.label} does not become {'less' if test.expect == 'up' else 'more'} likely"
    return _result(test.name, fails, pairs, expected, subject)


def _of_polar_rows(
    polar: PolarLabels, subject: Subject, rows: np.ndarray, probability: Callable[[Sequence[Any]], np.ndarray]
) -> list[TestResult]:
    """Negation, praise and complaint of the test rows; a row is one text."""
    places = {name: subject.task.labels.index(label) for name, label in polar if label}
    texts = [subject.test.texts[row] for row in rows.tolist() if subject.answers[row] in places.values()]
    if not texts or not isinstance(texts[0], str):
        return []
    befores = probability(texts)
    found = []
    for name, sentence, place in (
        ("praise added", PRAISE[subject.language], places["positive"]),
        ("complaint added", COMPLAINT[subject.language], places["negative"]),
    ):
        longer = [f"{text} {sentence}" for text in texts]
        fails = probability(longer)[:, place] < befores[:, place] - TOLERANCE
        told = f"{subject.task.labels[place]} does not become less likely"
        found.append(_result(name, fails, [*zip(texts, longer, strict=True)], told, subject))
    denied = [(row, other) for row, text in enumerate(texts) if (other := negated(text, subject.language)) is not None]
    if denied:
        kept = [row for row, _ in denied]
        afters = probability([other for _, other in denied])
        answers, numbers = befores[kept].argmax(axis=1), np.arange(len(kept))
        surer = afters[numbers, answers] > befores[kept].max(axis=1)
        fails = (afters.argmax(axis=1) == answers) & surer
        pairs = [(texts[row], other) for row, other in denied]
        found.append(_result("negation", fails, pairs, "no negated text is answered alike and surer", subject))
    return found


def _result(
    name: str, fails: np.ndarray, pairs: Sequence[tuple[str, str]], expected: str, subject: Subject
) -> TestResult:
    example = next((f"{after!r:.120}" for (_, after), fail in zip(pairs, fails, strict=True) if fail), "")
    return TestResult(name, Rate.of(int(fails.sum()), len(pairs), subject.confidence), expected, example)
