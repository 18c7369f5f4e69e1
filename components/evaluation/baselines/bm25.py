"""The baseline of retrieval: passages ranked by the words they share with a query (BM25, Robertson et al. 1994)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bm25s
import numpy as np

from components.evaluation.baselines.words import words

K1, B = 1.5, 0.75
"""How soon a repeated word counts no more, and how much a long passage pays for its length."""


@dataclass(frozen=True)
class Bm25:
    """Passages indexed by their words, `count` of them."""

    index: bm25s.BM25
    count: int

    @classmethod
    def of(cls, passages: Sequence[str]) -> Bm25:
        """Weights as Lucene has them: idf is log(1 + (N - n + 0.5) / (n + 0.5)), which is never negative."""
        index = bm25s.BM25(k1=K1, b=B, method="lucene", dtype="float64")
        index.index([words(passage) or [""] for passage in passages], show_progress=False)
        return cls(index, len(passages))

    def scores(self, queries: Sequence[str]) -> np.ndarray:
        """Of every passage for every query, [queries, passages]; 0 where the two share no word."""
        found = np.zeros((len(queries), self.count))
        for number, query in enumerate(queries):
            known = [word for word in words(query) if word in self.index.vocab_dict]
            if known:
                found[number] = self.index.get_scores(known)
        return found
