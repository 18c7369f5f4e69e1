"""Choosing the next token: greedily, or by a row's own seeded draw among the likeliest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from components.errors import DataError

COLDEST = 1e-300
"""Below it the likeliest token is as good as certain, and what is divided by the temperature no number."""


@dataclass(frozen=True)
class Sampling:
    """How a text is carried on. Raises DataError for a setting out of range.

    max_tokens: the most tokens that are added. temperature: 0 always takes the likeliest token. top_p: draw among the
    likeliest tokens that together have this probability (Holtzman et al. 2020). seed: None draws differently each
    time. stop: texts that end the answer and are not part of it.
    """

    max_tokens: int
    temperature: float
    top_p: float
    seed: int | None
    stop: tuple[str, ...]

    def __post_init__(self) -> None:
        for fits, complaint in (
            (self.max_tokens >= 1, f"max_tokens {self.max_tokens}: at least 1"),
            (0 <= self.temperature < math.inf, f"temperature {self.temperature:g}: 0 or more"),
            (0 < self.top_p <= 1, f"top_p {self.top_p:g}: more than 0, at most 1"),
            (self.seed is None or self.seed >= 0, f"seed {self.seed}: 0 or more"),
            (all(self.stop), "stop: an empty text ends every answer at once"),
        ):
            if not fits:
                raise DataError(complaint)


class Sampler:
    """One row's choices. One number is drawn a token, so that a seed gives the same text in any company.

    top_k: draw among so many likeliest tokens, 0 among all; min_p: among those with at least this share of the
    likeliest one's probability. Both are the model's own (its generation config), not the caller's.
    """

    def __init__(self, sampling: Sampling, top_k: int = 0, min_p: float = 0.0) -> None:
        self.temperature, self.top_p = sampling.temperature, sampling.top_p
        self.top_k, self.min_p = top_k, min_p
        self.generator = np.random.default_rng(sampling.seed)

    def pick(self, logits: np.ndarray) -> int:
        """The next token's id; logits: float32 (vocabulary,)."""
        if self.temperature < COLDEST:
            return int(logits.argmax())
        scores = logits.astype(np.float64) / self.temperature
        if 0 < self.top_k < len(scores):
            scores[scores < np.partition(scores, -self.top_k)[-self.top_k]] = -np.inf
        order, cumulative = nucleus(scores, self.top_p, self.min_p)
        place = np.searchsorted(cumulative, self.generator.random() * cumulative[-1], side="right")
        return int(order[min(int(place), len(order) - 1)])


def nucleus(scores: np.ndarray, top_p: float, min_p: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest tokens that together reach top_p and of which none is less likely than min_p times the first,
    likeliest first, and the running sum of their probabilities. A score of -inf is never among them."""
    probabilities = np.exp(scores - scores.max())
    probabilities /= probabilities.sum()
    order = np.argsort(-probabilities, kind="stable")
    cumulative = probabilities[order].cumsum()
    likely = probabilities >= max(min_p * probabilities.max(), np.finfo(np.float64).tiny)
    kept = min(int(np.searchsorted(cumulative, top_p)) + 1, int(likely.sum()))
    return order[:kept], cumulative[:kept]
