from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.evaluation.baselines.kneser_ney import FALLBACK, KneserNey, discounts

Gram = tuple[int, ...]
VOCABULARY = 6
ROWS = st.lists(st.lists(st.integers(0, VOCABULARY - 2), min_size=1, max_size=12), min_size=1, max_size=20)


class Slow:
    """The same as the paper writes it, an n-gram at a time (Chen and Goodman 1999, equations 20 to 26)."""

    def __init__(self, rows: Sequence[Sequence[int]], order: int) -> None:
        found: list[Counter[Gram]] = [Counter() for _ in range(order + 1)]
        for row in rows:
            line = (VOCABULARY, *row)
            for n in range(1, order + 1):
                found[n].update(line[start : start + n] for start in range(len(line) - n + 1))
        self.counts: list[dict[Gram, int]] = [{}]
        for n in range(1, order + 1):
            before = Counter(gram[1:] for gram in found[n + 1]) if n < order else {}
            kept = {g: (c if n == order or g[0] == VOCABULARY else before[g]) for g, c in found[n].items()}
            self.counts.append({g: c for g, c in kept.items() if g != (VOCABULARY,)})
        self.followers: dict[Gram, list[int]] = defaultdict(list)
        for n in range(1, order + 1):
            for gram in self.counts[n]:
                self.followers[gram[:-1]].append(gram[-1])

    def discount(self, n: int, count: int) -> float:
        n1, n2, n3, n4 = (sum(c == k for c in self.counts[n].values()) for k in (1, 2, 3, 4))
        if not all((n1, n2, n3, n4)):
            return float(FALLBACK[min(count, 3)])
        y = n1 / (n1 + 2 * n2)
        every = [0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
        return every[min(count, 3)] if min(every[1:]) > 0 else float(FALLBACK[min(count, 3)])

    def probability(self, context: Gram, token: int) -> float:
        shorter = self.probability(context[1:], token) if context else 1 / VOCABULARY
        n = len(context) + 1
        total = sum(self.counts[n][(*context, one)] for one in self.followers[context])
        if not total:
            return shorter
        taken = sum(self.discount(n, self.counts[n][(*context, one)]) for one in self.followers[context])
        count = self.counts[n].get((*context, token), 0)
        return (count - self.discount(n, count)) / total + taken / total * shorter


@settings(max_examples=60, deadline=None)
@given(ROWS, st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=6), st.integers(1, 4))
def test_probabilities_are_those_of_the_paper_and_the_likeliest_token_has_the_highest(
    rows: list[list[int]], row: list[int], order: int
) -> None:
    slow = Slow(rows, order)
    probability, likeliest = KneserNey.of(rows, VOCABULARY, order).scores(row)
    for place, token in enumerate(row):
        context = (VOCABULARY, *row)[: place + 1][-(order - 1) :] if order > 1 else ()
        every = [slow.probability(context, one) for one in range(VOCABULARY)]
        assert math.fsum(every) == pytest.approx(1)
        assert probability[place] == pytest.approx(every[token])
        assert every[likeliest[place]] == pytest.approx(max(every))


def test_pairs_counted_by_hand() -> None:
    """`a b` and `c b`: b follows two different tokens, a and c the beginning of a row alone, so one token's chance is
    (2 - 1) / 4 + (0.5 + 0.5 + 1) / 4 / 6 for b. After a comes b once: (1 - 0.5) / 1 + 0.5 times that."""
    a, b, c = 0, 1, 2
    single = 1 / 4 + 2 / 4 / 6
    probability, _ = KneserNey.of([[a, b], [c, b]], VOCABULARY, 2).scores([a, b])
    assert probability[1] == pytest.approx(0.5 + 0.5 * single)
    assert KneserNey.of([[a, b], [c, b]], VOCABULARY, 2).scores([5, b])[0][1] == pytest.approx(single)


def test_discounts_counted_by_hand() -> None:
    counts = np.repeat([1, 2, 3, 4, 9], [8, 4, 2, 1, 3])
    y = 8 / 16
    assert discounts(counts).tolist() == [0, 1 - 2 * y * 4 / 8, 2 - 3 * y * 2 / 4, 3 - 4 * y * 1 / 2]
    assert discounts(np.array([1, 1, 2])) is FALLBACK
