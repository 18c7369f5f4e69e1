"""Does it matter whom a text is about? Rows that mention a name, a place, a woman or a man, rewritten for other groups.

Every row is answered for every word of every group (counterfactual swaps, as Garg et al. 2019 and CheckList's fairness
tests). Said of it: how often the answer of two groups differs; how far apart the first metric of the groups is, with
Holm's correction; and words with which answers change more often than with all the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np

from components.analysis.identities import Swaps, identities
from components.analysis.rates import Rate
from components.analysis.robustness import sampled
from components.analysis.subject import Analysis, Subject, Table
from components.evaluation.differences import Difference, differences, holm
from components.evaluation.metrics import Bootstrap

if TYPE_CHECKING:
    from components.analysis.config import FairnessConfig

FEWEST = 10
"""Rows that have to mention something before anything is said."""


@dataclass(frozen=True)
class Category:
    """Of names, places, provinces or gender: what the answers of its groups are like.

    flips: of two groups, how often the answers to the same row differ; scores: group -> the first metric of its words'
    answers, on average; sensitive: words with which more answers change than with the others.
    """

    name: str
    rows: int
    flips: Mapping[tuple[str, str], Rate]
    scores: Mapping[str, float]
    gaps: Sequence[Difference]
    sensitive: Mapping[str, Rate]
    elsewhere: float


def analyze(config: FairnessConfig, subject: Subject) -> Analysis | None:
    """Nothing but of kinds whose answer is about a whole text, which stays right when somebody else is meant."""
    task = subject.task
    if task.head != "sequence" or task.spans:
        return None
    found = [
        category
        for swaps in identities(subject.language, config.groups.get(subject.language)).values()
        if (category := _category(config, subject, swaps)) is not None
    ]
    if not found:
        return None
    return Analysis(
        metrics={**{one.name: _metrics(one) for one in found}, **_worst(found)},
        sentences=tuple(sentence for _, sentence in sorted(_told(subject, one) for one in found)),
        tables={f"Answers by group: {one.name}": _table(subject, one) for one in found},
    )


def _category(config: FairnessConfig, subject: Subject, swaps: Swaps) -> Category | None:
    """None where too few rows mention anything of it."""
    texts = subject.test.texts
    about = [row for row, text in enumerate(texts) if swaps.mentions(text)]
    if len(about) < FEWEST:
        return None
    rows = [about[place] for place in sampled(len(about), config.rows, subject.seed).tolist()]
    given = [one for row in rows for one in swaps.variants(row, texts[row])]
    answers = subject.answer([one.text for one in given])
    # Every row has the same words in the same order, but for their gender.
    each = len(given) // len(rows)
    by_word = answers.reshape(len(rows), each, *answers.shape[1:]).swapaxes(0, 1)
    groups: dict[str, list[int]] = {}
    for place, one in enumerate(given[:each]):
        groups.setdefault(one.group, []).append(place)
    words = [[given[number * each + place].word for number in range(len(rows))] for place in range(each)]
    sensitive, elsewhere = ({}, 0.0) if swaps.by_word else _sensitive(subject, by_word, words)
    targets = subject.test.targets[rows]
    bootstrap = Bootstrap(subject.task, targets, subject.bootstrap_samples, subject.confidence, subject.seed)
    metric = subject.task.metrics[0]
    systems = {group: [by_word[place] for place in places] for group, places in groups.items()}
    return Category(
        name=swaps.name,
        rows=len(rows),
        flips={pair: _flips(subject, *(systems[group] for group in pair)) for pair in combinations(systems, 2)},
        scores={
            group: float(np.mean([bootstrap.values(metric, one)[0] for one in answers]))
            for group, answers in systems.items()
        },
        gaps=differences(bootstrap, metric, systems, subject.confidence),
        sensitive=sensitive,
        elsewhere=elsewhere,
    )


def _flips(subject: Subject, one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> Rate:
    """Of the words of two groups, taken in pairs; of lists that are not equally long each with each."""
    pairs = zip(one, other, strict=True) if len(one) == len(other) else product(one, other)
    apart = [~subject.task.same(before, after) for before, after in pairs]
    return Rate.of(int(np.sum(apart)), int(np.size(apart)), subject.confidence)


def _sensitive(subject: Subject, by_word: np.ndarray, words: Sequence[Sequence[str]]) -> tuple[dict[str, Rate], float]:
    """Words with which more answers differ from the row's most frequent one than with the other words, by a binomial
    test with Holm's correction; and the share of all."""
    from scipy.stats import binomtest  # late: scipy.stats takes half a second

    usual = _most_frequent(subject, by_word)
    apart = np.stack([~subject.task.same(usual, answers) for answers in by_word])
    counts: dict[str, list[int]] = {}
    for place, named in enumerate(words):
        for row, word in enumerate(named):
            count = counts.setdefault(word, [0, 0])
            count[0] += int(apart[place, row])
            count[1] += 1
    changed, total = int(apart.sum()), apart.size
    p_values = [
        # The share among the other words, never quite 0: a single change is no proof.
        binomtest(count, cases, max(changed - count, 1) / (total - cases), alternative="greater").pvalue
        for count, cases in counts.values()
    ]
    found = {
        word: Rate.of(count, cases, subject.confidence)
        for (word, (count, cases)), p in zip(counts.items(), holm(p_values), strict=True)
        if p < 1 - subject.confidence
    }
    return dict(sorted(found.items(), key=lambda one: -one[1].value)), changed / total


def _most_frequent(subject: Subject, by_word: np.ndarray) -> np.ndarray:
    """Of each row the answer that most words lead to, the first of equally frequent ones."""
    alike = np.stack([np.sum([subject.task.same(one, other) for other in by_word], axis=0) for one in by_word])
    return by_word[alike.argmax(axis=0), np.arange(by_word.shape[1])]


def _metrics(found: Category) -> dict[str, Any]:
    return {
        "rows": found.rows,
        "flip_rate": {" / ".join(pair): rate.metrics() for pair, rate in found.flips.items()},
        "score": {group: round(value, 6) for group, value in found.scores.items()},
        "gap": {f"{one.first} / {one.second}": one.metrics() for one in found.gaps},
        "sensitive": {word: rate.metrics() for word, rate in found.sensitive.items()},
    }


def _worst(found: Sequence[Category]) -> dict[str, Any]:
    """For a gate: the largest gap that is more than chance, 0 where there is none; and whose the largest of all is."""
    gaps = [
        (one.shown, abs(one.value), f"{category.name}, {one.first} / {one.second}")
        for category in found
        for one in category.gaps
    ]
    shown, value, name = max(gaps)
    return {"worst_gap": round(value, 6) if shown else 0.0, "worst": name}


def _told(subject: Subject, found: Category) -> tuple[tuple[int, float, str], str]:
    """A sentence, and its place: words that answers hang on first, then gaps, then what is only counted."""
    pair, most = max(found.flips.items(), key=lambda one: one[1].value)
    place = (2, -most.value, found.name)
    told = (
        f"{found.name}: in {found.rows:,} rows that mention one, {most} of the answers differ between {pair[0]} and "
        f"{pair[1]}, at most"
    )
    shown = [one for one in found.gaps if one.shown]
    if shown:
        worst = max(shown, key=lambda one: abs(one.value))
        better, worse = (worst.second, worst.first) if worst.value > 0 else (worst.first, worst.second)
        place = (1, *place[1:])
        told += f"; {subject.task.metrics[0].title} is better by {abs(worst.value):.3f} for {better} than for {worse}"
    else:
        told += f"; no difference in {subject.task.metrics[0].title} between groups shown"
    if found.sensitive:
        word, rate = next(iter(found.sensitive.items()))
        others = [*found.sensitive][1:4]
        place = (0, -rate.value, found.name)
        more = f" (and {', '.join(others)})" if others else ""
        told = (
            f"{found.name}: {word}{more} changes {rate} of the answers, all words {100 * found.elsewhere:.1f} %; {told}"
        )
    return place, told


def _table(subject: Subject, found: Category) -> Table:
    """A line for each two groups, those whose answers differ most first."""
    gaps = {(one.first, one.second): one for one in found.gaps}
    title = subject.task.metrics[0].title
    rows: list[tuple[str | float, ...]] = []
    for (first, second), rate in sorted(found.flips.items(), key=lambda one: -one[1].value):
        gap = gaps[first, second]
        numbers = (found.scores[first], found.scores[second], gap.value, gap.low, gap.high, gap.adjusted)
        rows.append((first, second, *rate.metrics().values(), *(round(float(one), 6) for one in numbers)))
    header = ("group", "other", "answers that differ", "low", "high", f"{title} of the first", f"{title} of the other")
    return Table((*header, "gap", "gap, low", "gap, high", "p, corrected"), tuple(rows))
