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
from components.errors import ParameterError

if TYPE_CHECKING:
    from components.analysis.config import BehaviourTest, PolarLabels, RobustnessConfig

TOLERANCE = 0.1
"""How much a probability may go the wrong way before a test fails, as in CheckList."""
PRAISE = {"en": "I love it.", "zh": "我很喜欢。"}
COMPLAINT = {"en": "I hate it.", "zh": "我很讨厌。"}

# Of "can't" the 'n' belongs to the verb; "won't" and "shan't" are passed over: without n't they are no words.
_VERB = re.compile(
    r"\b(is|are|was|were|am|will|would|can|could|should|must|does|do|did)\b(?!n?['’]t\b)( not\b)?", re.IGNORECASE
)
_DENIED = re.compile(
    r"\b(?:(can)|(is|are|was|were|would|could|should|must|does|do|did|has|have|had|need)n)['’]t\b", re.IGNORECASE
)
# Neither 是不是 (whether) nor 要不是 (but for), 不好意思 (sorry) or another question of the form A不A is a denial.
_NOT = re.compile(
    "(?<![要是])不是|(?<!喜)不(?:喜欢|喜歡)|(?<!推)不(?:推荐|推薦)|(?<!值)不值得|(?<!好)不好(?!意思)|(?<!有)[没沒]有"
)
# 是 ends conjunctions and adverbs, as 但是 (but) and 总是 (always), and begins 是否 (whether).
_PLAIN = re.compile(
    "(?<![不但可总總还還于於只若或凡老倒真正要其别別])是(?![不否非])|(?<!不)(?:喜欢|喜歡|推荐|推薦|值得|好看|好吃|好用|好玩)"
)


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
        told = f"{self.name}: {self.rate} of {self.rate.total:,} cases fail (expected: {self.expected})"
        return f"{told}, for example {self.example}" if self.example else told


def run_tests(config: RobustnessConfig, subject: Subject, rows: np.ndarray) -> tuple[TestResult, ...]:
    """The tests of this task, the one that fails most first. Raises ParameterError for one that cannot be run."""
    found = [_of_templates(test, subject) for test in config.tests if test.task == subject.name]
    polar = [one for one in config.polar_labels if {one.positive, one.negative} <= {*subject.task.labels}]
    if len(polar) > 1:  # their tests have the same names
        raise ParameterError(
            f"analyze.robustness.polar_labels: {len(polar)} pairs are labels of {subject.name}", "keep one of them"
        )
    if polar and subject.probability is not None:
        found += _of_polar_rows(polar[0], subject, rows, subject.probability)
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
    if _DENIED.search(text):
        return _DENIED.sub(lambda found: found[1] or found[2], text, count=1)
    verb = _VERB.search(text)
    if verb is None:
        return None
    return text[: verb.start()] + (verb[1] if verb[2] else f"{verb[1]} not") + text[verb.end() :]


def _of_templates(test: BehaviourTest, subject: Subject) -> TestResult:
    where = f"analyze.robustness.tests: {test.name}"
    if subject.test.texts and not isinstance(subject.test.texts[0], str):
        raise ParameterError(f"{where}: a row of {subject.name} is several texts, a template one", "remove the test")
    pairs = cases(test)
    befores, afters = [before for before, _ in pairs], [after for _, after in pairs]
    if test.expect == "same":
        fails = ~subject.task.same(subject.answer(befores), subject.answer(afters))
        expected = "the answer stays"
    elif subject.probability is None:
        raise ParameterError(f"{where}: {subject.name} has no probabilities", "write expect: same, or remove the test")
    elif test.label not in subject.task.labels:
        known = ", ".join(subject.task.labels[:20])
        raise ParameterError(f"{where}: {subject.name} has no label {test.label!r:.60}", f"its labels: {known}")
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
        found.append(_result("negation", fails, pairs, "a negated text is not answered alike and surer", subject))
    return found


def _result(
    name: str, fails: np.ndarray, pairs: Sequence[tuple[str, str]], expected: str, subject: Subject
) -> TestResult:
    example = next((f"{after!r:.120}" for (_, after), fail in zip(pairs, fails, strict=True) if fail), "")
    return TestResult(name, Rate.of(int(fails.sum()), len(pairs), subject.confidence), expected, example)
