"""Do the answers stay when a text changes in a way that should not matter (Ribeiro et al. 2020, CheckList)?

Each perturbation is measured on the rows that it changes: the share of answers that change, and the first metric
beside that of the same rows as they are. Of models that write, an answer is the whole text, and one that differs in a
character has changed: the metric says how much that matters. Tests of the user's own stand in params.yaml:
`behaviour_tests`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from components.analysis.behaviour_tests import TestResult, run_tests
from components.analysis.errors import CELL, cut, joined, shown
from components.analysis.perturbations import PERTURBATIONS, Change, Perturbation
from components.analysis.rates import Rate
from components.analysis.subject import Analysis, Subject, Table
from components.evaluation.metrics import Bootstrap, Interval
from components.modeling.kinds import CARRIES_ON, WRITES
from components.tasks.metrics import score
from components.tasks.task import Task, Text, parts

if TYPE_CHECKING:
    from components.analysis.config import RobustnessConfig

SHOWN = 3
"""Rows of each perturbation in the table of examples, the surest first."""
TOLD = 60
"""Characters of an answer in a sentence."""


@dataclass(frozen=True)
class Example:
    """A row whose answer changes. `probability`: of the answer to the row as it is."""

    row: str
    text: str
    before: str
    after: str
    probability: float | None


@dataclass(frozen=True)
class Effect:
    """What a perturbation does to the rows that it changes."""

    phrase: str
    rows: int
    flips: Rate
    before: float
    after: float
    gain: Interval
    examples: tuple[Example, ...]


def analyze(config: RobustnessConfig, subject: Subject) -> Analysis | None:
    """Nothing where a text is carried on, since the metric is of its own tokens and a changed text has others, or where
    places in a text are marked: a changed text has them elsewhere."""
    task = subject.task
    if task.head == CARRIES_ON or task.spans:
        own = [test.name for test in config.tests if test.task == subject.name]
        told = (
            f"tests of behaviour are not run for texts that are carried on or rows with marked places: {', '.join(own)}"
        )
        return Analysis({}, (told,)) if own else None
    most = config.written_rows if task.head == WRITES else config.rows
    rows = sampled(len(subject.test.texts), most, subject.seed)
    effects = {}
    for name in config.perturbations:
        perturbation = PERTURBATIONS[name]
        change = perturbation.changes.get(subject.language)
        if change is None or (_answers_places(task) and not perturbation.in_place):
            continue
        if found := _effect(subject, perturbation, change, rows):
            effects[name] = found
    tests = run_tests(config, subject, rows)
    if not effects and not tests:
        return None
    worst_first = sorted(effects.values(), key=lambda one: (-one.flips.value, one.phrase))
    return Analysis(
        metrics={
            "perturbations": {name: _metrics(task, one) for name, one in effects.items()},
            **({"tests": {one.name: one.metrics() for one in tests}} if tests else {}),
        },
        sentences=(*(_sentence(task, one) for one in worst_first), *(one.sentence() for one in tests)),
        tables=_tables(task, worst_first, tests),
    )


def sampled(total: int, most: int, seed: int) -> np.ndarray:
    """The numbers of at most so many rows, in order."""
    if total <= most:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).choice(total, size=most, replace=False))


def changed(task: Task, text: Text, change: Change, random: np.random.Generator) -> Text:
    """A row's text changed; of several, the first alone where the answer is to be found in, or is, another."""
    if isinstance(text, str):
        return change(text, random)
    given = parts(text)
    count = 1 if task.output.of_candidates or task.output.over_tokens else len(given)
    return (*(change(part, random) for part in given[:count]), *given[count:])


def _answers_places(task: Task) -> bool:
    """Whether the words of the text are what is answered about."""
    return task.output.per_token and not task.output.over_tokens and task.head != WRITES


def _effect(subject: Subject, perturbation: Perturbation, change: Change, rows: np.ndarray) -> Effect | None:
    """None where no row is changed."""
    task, texts = subject.task, subject.test.texts
    salt = crc32(perturbation.phrase.encode())
    found = {
        row: changed(task, texts[row], change, np.random.default_rng([subject.seed, salt, row]))
        for row in rows.tolist()
    }
    kept = [row for row, text in found.items() if text != texts[row] and _same_words(task, texts[row], text)]
    if not kept:
        return None
    targets, before = subject.test.targets[kept], subject.answers[kept]
    after = subject.answer([found[row] for row in kept])
    flipped = np.flatnonzero(~task.same(before, after))
    bootstrap = Bootstrap(task, targets, subject.bootstrap_samples, subject.confidence, subject.seed)
    metric = task.metrics[0]
    return Effect(
        phrase=perturbation.phrase,
        rows=len(kept),
        flips=Rate.of(len(flipped), len(kept), subject.confidence),
        before=score(metric, targets, before),
        after=score(metric, targets, after),
        gain=bootstrap.gain(before, after),
        examples=_examples(subject, [(kept[place], found[kept[place]], after[place]) for place in flipped.tolist()]),
    )


def _same_words(task: Task, before: Text, after: Text) -> bool:
    """Whether words that are answered about are as many as before: an upper-case ß is two letters."""
    if not _answers_places(task):
        return True
    return [*map(task.words, parts(before))] == [*map(task.words, parts(after))]


def _examples(subject: Subject, flipped: Sequence[tuple[int, Text, np.ndarray]]) -> tuple[Example, ...]:
    """The rows that the model was surest of and answers otherwise once they are changed."""
    sure = None if subject.probabilities is None else subject.probabilities.max(axis=1)
    if sure is not None:
        flipped = sorted(flipped, key=lambda one: -sure[one[0]])
    return tuple(
        Example(
            row=subject.ids[row],
            text=cut(joined(text), CELL),
            before=_told(subject, row, subject.answers[row]),
            after=_told(subject, row, after),
            probability=None if sure is None else round(float(sure[row]), 6),
        )
        for row, text, after in flipped[:SHOWN]
    )


def _told(subject: Subject, row: int, answer: np.ndarray) -> str:
    """An answer to a test row for a table."""
    return cut(shown(subject.task, subject.columns[row], subject.task.values(answer[None])[0]), CELL)


def _metrics(task: Task, effect: Effect) -> dict[str, Any]:
    return {
        "rows": effect.rows,
        "flip_rate": effect.flips.metrics(),
        task.metrics[0].name: round(effect.after, 6),
        "gain": effect.gain.metrics(),
    }


def _sentence(task: Task, effect: Effect) -> str:
    gain = effect.gain
    told = (
        f"{effect.phrase}: {effect.flips} of the answers to {effect.rows:,} rows change, {task.metrics[0].title} "
        f"{effect.before:.3f} to {effect.after:.3f} ({gain.value:+.3f}, {gain.low:+.3f} to {gain.high:+.3f})"
    )
    if not effect.examples:
        return told
    first = effect.examples[0]
    if first.probability is None:
        before, after = (cut(one, TOLD) for one in (first.before, first.after))
        return f"{told}; {first.row} is answered with “{before}” as it is and with “{after}” then"
    return f"{told}; {first.row} is {first.before} with {first.probability:.2f} as it is and {first.after} then"


def _tables(task: Task, effects: Sequence[Effect], tests: Sequence[TestResult]) -> dict[str, Table]:
    title = task.metrics[0].title
    header = ("change", "rows", "answers that change", "low", "high", f"{title} as it is", f"{title} changed", "gain")
    tables = {
        "Answers when the text changes": Table(
            (*header, "gain, low", "gain, high"),
            tuple(
                (
                    one.phrase,
                    one.rows,
                    *(one.flips.metrics().values()),
                    round(one.before, 6),
                    round(one.after, 6),
                    *one.gain.metrics().values(),
                )
                for one in effects
            ),
        )
    }
    examples = tuple(
        (effect.phrase, one.row, one.text, one.before, one.after, "" if one.probability is None else one.probability)
        for effect in effects
        for one in effect.examples
    )
    if examples:
        tables["The surest answers that change"] = Table(
            ("change", "row", "changed text", "answer as it is", "answer then", "probability as it is"), examples
        )
    if tests:
        tables["Tests of behaviour"] = Table(
            ("test", "cases", "fail", "low", "high", "a case that fails"),
            tuple((one.name, one.rate.total, *one.rate.metrics().values(), one.example) for one in tests),
        )
    return tables
