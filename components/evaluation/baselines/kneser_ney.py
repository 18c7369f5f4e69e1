"""N-gram probabilities by interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999, section 3).

An n-gram keeps its count less a discount; what the discounts of a context add up to is shared out by the next shorter
context. A shorter n-gram does not count how often it occurs but after how many different tokens: `Francisco` is
frequent, and follows `San` alone. Every row begins with a mark that nothing precedes, so n-grams that begin with it
count as often as they occur (Heafield et al. 2013).

The n-grams of a length are arrays: one is the number of its first n-1 tokens among those of that length, and its last
token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

UNKNOWN = -1
"""In place of an n-gram that the training rows do not have."""
FALLBACK = np.array([0.0, 0.5, 1.0, 1.5])
"""Discounts where counts of counts give none, as with a few rows (KenLM's)."""


def discounts(counts: np.ndarray) -> np.ndarray:
    """What n-grams that occur 0, 1, 2 and 3 or more times lose, [4], by the numbers of those that occur 1 to 4 times
    (Chen and Goodman 1999, equation 26)."""
    n = np.bincount(np.minimum(counts, 5), minlength=6)[:5].astype(np.float64)
    if not n[1:].all():
        return FALLBACK
    y = n[1] / (n[1] + 2 * n[2])
    k = np.arange(1, 4)
    found = np.concatenate([[0.0], k - (k + 1) * y * n[2:] / n[1:4]])
    return found if (found[1:] > 0).all() else FALLBACK


@dataclass(frozen=True)
class Counts:
    """The n-grams of one length, in order of context and token. `contexts`, `suffixes`: the numbers of their first and
    last n-1 tokens; `first`: whether they begin a row."""

    contexts: np.ndarray
    tokens: np.ndarray
    suffixes: np.ndarray
    counts: np.ndarray
    first: np.ndarray

    def adjusted(self, longer: Counts | None) -> np.ndarray:
        """How often each occurs, or in how many of the `longer` ones, by one token, it comes last."""
        if longer is None:
            return self.counts
        return np.where(self.first, self.counts, np.bincount(longer.suffixes, minlength=len(self.counts)))


@dataclass(frozen=True)
class Level:
    """The n-grams of one length with the `probability` of their last token after the others. Of each context `rest`,
    the weight of the next shorter one, and the `likeliest` token with its probability, `highest`."""

    keys: np.ndarray
    probability: np.ndarray
    rest: np.ndarray
    likeliest: np.ndarray
    highest: np.ndarray


@dataclass(frozen=True)
class KneserNey:
    """`levels`: the n-grams of 1, 2, … tokens. `vocabulary`: how many tokens there are; that number itself is the mark
    that begins a row."""

    vocabulary: int
    levels: list[Level]

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], vocabulary: int, order: int) -> KneserNey:
        """Counted in rows of tokens, up to `order` of them at a time."""
        counted = count(rows, vocabulary, order)
        levels: list[Level] = []
        # Of no token: what every token's probability is before anything is counted.
        lower, shorter = np.array([1 / vocabulary]), np.zeros(1, dtype=np.int64)
        best = np.zeros(1, dtype=np.int64), np.array([1 / vocabulary])
        for length, grams in enumerate(counted, 1):
            longer = counted[length] if length < len(counted) else None
            level = _level(grams, grams.adjusted(longer), lower, [part[shorter] for part in best], vocabulary)
            levels.append(level)
            lower, shorter, best = level.probability, grams.suffixes, (level.likeliest, level.highest)
        return cls(vocabulary, levels)

    def scores(self, row: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Of each token its probability after those before it in the row, and the likeliest token in its place."""
        tokens = np.array([self.vocabulary, *row], dtype=np.int64)
        probability = np.full(len(tokens), 1 / self.vocabulary)
        likeliest = np.zeros(len(tokens), dtype=np.int64)
        grams = np.zeros(len(tokens), dtype=np.int64)
        for level in self.levels:
            contexts = np.roll(grams, 1)  # what comes round to the mark matters to nothing: it follows no token
            grams = _numbers(level.keys, contexts * (self.vocabulary + 1) + tokens, contexts != UNKNOWN)
            known = contexts != UNKNOWN
            shared = np.where(known, level.rest[contexts], 1.0) * probability
            probability = np.where(grams != UNKNOWN, level.probability[grams], shared)
            likeliest = np.where(known, level.likeliest[contexts], likeliest)
        return probability[1:], likeliest[1:]

    def megabytes(self) -> float:
        """Of its arrays."""
        return sum(array.nbytes for level in self.levels for array in vars(level).values()) / 1e6


def count(rows: Sequence[Sequence[int]], vocabulary: int, order: int) -> list[Counts]:
    """The n-grams of 1 to `order` tokens, none across two rows; the mark that begins a row is one of them."""
    tokens = np.array([token for row in rows for token in (vocabulary, *row)], dtype=np.int64)
    places = np.concatenate([np.arange(1 + len(row)) for row in rows])
    grams = np.zeros(len(tokens), dtype=np.int64)  # of each place, the n-gram that ends there
    found = []
    for length in range(1, order + 1):
        ends = np.flatnonzero(places >= length - 1)
        if not len(ends):  # no row is so long
            break
        keys = grams[ends - 1] * (vocabulary + 1) + tokens[ends]
        unique, first, numbers, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        begins = places[ends[first]] == length - 1
        contexts, last = np.divmod(unique, vocabulary + 1)
        found.append(Counts(contexts, last, grams[ends[first]], counts, begins))
        grams = np.full(len(tokens), UNKNOWN)
        grams[ends] = numbers
    return found


def _level(grams: Counts, counts: np.ndarray, lower: np.ndarray, best: Sequence[np.ndarray], vocabulary: int) -> Level:
    """`counts`: the adjusted ones; `lower`: the probability of each shorter n-gram; `best`: of each context the token
    that is likeliest after the next shorter one, with its probability there."""
    # The mark follows no token: it is no event, only a context.
    counts = np.where(grams.tokens == vocabulary, 0, counts)
    contexts = len(best[0])
    discount = discounts(counts)[np.minimum(counts, 3)]
    total = np.bincount(grams.contexts, counts, contexts)
    met = total > 0
    total = np.where(met, total, 1.0)
    rest = np.where(met, np.bincount(grams.contexts, discount, contexts) / total, 1.0)
    probability = (counts - discount) / total[grams.contexts] + rest[grams.contexts] * lower[grams.suffixes]
    probability[grams.tokens == vocabulary] = 0.0
    likeliest, highest = best[0].copy(), rest * best[1]
    # The likeliest of those that were met after a context; unless the shorter context's likeliest was not and is more.
    order = np.lexsort((grams.tokens, -probability, grams.contexts))
    top = order[np.unique(grams.contexts[order], return_index=True)[1]]
    top = top[probability[top] >= highest[grams.contexts[top]]]
    likeliest[grams.contexts[top]], highest[grams.contexts[top]] = grams.tokens[top], probability[top]
    keys = grams.contexts * (vocabulary + 1) + grams.tokens
    return Level(keys, probability, rest, likeliest, highest)


def _numbers(keys: np.ndarray, wanted: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Where each wanted one stands among the keys, UNKNOWN where it does not or is not `known`."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(known & (keys[places] == wanted), places, UNKNOWN)
