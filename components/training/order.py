"""Which samples stand in the batch of a step: pure functions of (seed, step), the same in any process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from components.training.randomness import derived

POOL_BATCHES = 16
"""Batches sorted by length together: large enough to pad little, small enough to leave the order random."""


class WindowOrder:
    """Windows of packed tokens in a new order every epoch, each epoch's windows starting at another offset."""

    def __init__(self, tokens: int, length: int, batch_size: int, seed: int) -> None:
        self.tokens, self.length, self.batch_size, self.seed = tokens, length, batch_size, seed
        self.windows = max(tokens // length - 1, 1)
        self._epoch = lru_cache(maxsize=2)(self._starts_of_epoch)

    def starts(self, step: int) -> np.ndarray:
        """First token of each window in the batch of a step, counted from 0."""
        places = range(step * self.batch_size, (step + 1) * self.batch_size)
        return np.array([self._epoch(place // self.windows)[place % self.windows] for place in places])

    def _starts_of_epoch(self, epoch: int) -> np.ndarray:
        generator = derived(self.seed, "windows", epoch)
        offset = generator.integers(self.tokens - self.windows * self.length + 1)
        return offset + self.length * generator.permutation(self.windows)


class BucketedOrder:
    """Every sample once an epoch, in batches of similar lengths (less padding) that come in random order."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths, self.batch_size, self.seed = np.asarray(lengths), batch_size, seed
        self.steps_per_epoch = -(-len(lengths) // batch_size)
        self._epoch = lru_cache(maxsize=2)(self._batches_of_epoch)

    def samples(self, step: int) -> np.ndarray:
        """Indices of the samples in the batch of a step, counted from 0."""
        return self._epoch(step // self.steps_per_epoch)[step % self.steps_per_epoch]

    def _batches_of_epoch(self, epoch: int) -> list[np.ndarray]:
        generator = derived(self.seed, "buckets", epoch)
        order = generator.permutation(len(self.lengths))
        pool = POOL_BATCHES * self.batch_size
        pools = [order[start : start + pool] for start in range(0, len(order), pool)]
        arranged = np.concatenate([part[np.argsort(self.lengths[part], kind="stable")] for part in pools])
        batches = [arranged[start : start + self.batch_size] for start in range(0, len(arranged), self.batch_size)]
        return [batches[index] for index in generator.permutation(len(batches))]
