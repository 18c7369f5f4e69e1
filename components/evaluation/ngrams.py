"""The baseline of a language model: interpolated counts of tokens and of pairs (Jelinek and Mercer 1980), over the
model's own tokens, since perplexities of other tokens do not compare."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from components.deployment.generation.scores import rows_of
from components.deployment.rows import Rows
from components.tasks.generation import padded_scores
from components.tasks.metrics import Perplexity, score

WEIGHTS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
BYTES_A_PAIR = 12


@dataclass(frozen=True)
class NgramChoice:
    """A setting. `weight`: of the pairs, where the first token of one has been met; the rest goes to single tokens."""

    weight: float

    def metrics(self) -> dict[str, float]:
        """As numbers, for a metrics file."""
        return {"pair_weight": self.weight}

    def __str__(self) -> str:
        return f"{self.weight:g} of the weight on pairs"


@dataclass(frozen=True)
class NgramBaseline:
    """Counted tokens: `single` the probability of each, `pairs` what followed which, how often.

    `max_length`, `end`: how texts are cut and ended, as the model's are.
    """

    tokenizer: Tokenizer
    max_length: int
    end: int
    single: np.ndarray
    pairs: Mapping[int, Counter[int]]
    choice: NgramChoice
    title = "counted tokens and pairs of tokens"

    @classmethod
    def tuned(cls, train: Rows, validation: Rows, tokenizer: Path, max_length: int, end: int) -> NgramBaseline:
        """Counted on the training rows, with the weight that has the least perplexity on the validation rows."""
        loaded = Tokenizer.from_file(str(tokenizer))
        counts = np.ones(loaded.get_vocab_size())  # each has been met once: an unknown token is possible
        pairs: dict[int, Counter[int]] = defaultdict(Counter)
        for row in rows_of(loaded, train.texts, max_length, end):
            for before, token in pairwise(row):
                counts[token] += 1
                pairs[before][token] += 1
        first = cls(loaded, max_length, end, counts / counts.sum(), dict(pairs), NgramChoice(0.0))
        every = [replace(first, choice=NgramChoice(weight)) for weight in WEIGHTS]
        return min(every, key=lambda one: score(Perplexity(), validation.targets, one.predict(validation.texts)))

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Scores of each text's tokens, as a language model's are: [texts, tokens, 2]."""
        rows = rows_of(self.tokenizer, texts, self.max_length, self.end)
        return padded_scores([self._scores(row) for row in rows])

    def _scores(self, row: Sequence[int]) -> np.ndarray:
        found = np.full((len(row), 2), np.nan, dtype=np.float32)
        for place, (before, token) in enumerate(pairwise(row)):
            followers = self.pairs.get(before, Counter())
            weight = self.choice.weight if followers else 0.0
            met = followers[token] / max(followers.total(), 1)
            likeliest = followers.most_common(1)[0][0] if weight else int(self.single.argmax())
            found[place] = -np.log(weight * met + (1 - weight) * self.single[token]), likeliest
        return found

    def megabytes(self) -> float:
        """Of its counts."""
        return (self.single.nbytes + BYTES_A_PAIR * sum(map(len, self.pairs.values()))) / 1e6
