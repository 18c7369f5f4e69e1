"""Which samples stand in the batch of a step: pure functions of (seed, step), computed where they are asked for.

There is no sampler whose state could be lost: any process, on any rank, can name the samples of any step. A batch
here is the global one; how it is divided among ranks and micro-batches does not change what is in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.training.permutation import ROUNDS, Permutation
from components.training.randomness import derived

POOL_BATCHES = 16
"""Batches sorted by length together: large enough to pad little, small enough to leave the order random."""


class WindowOrder:
    """Windows of packed tokens in a new order every epoch, each epoch's windows starting at another offset."""

    def __init__(self, tokens: int, length: int, batch_size: int, seed: int) -> None:
        self.tokens, self.length, self.batch_size, self.seed = tokens, length, batch_size, seed
        self.windows = max(tokens // length - 1, 1)

    def samples(self, step: int) -> np.ndarray:
        """First token of each window in the batch of a step, counted from 0."""
        places = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        epochs = places // self.windows
        starts = np.empty(len(places), dtype=np.int64)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            here = epochs == epoch
            generator = derived(self.seed, "windows", epoch)
            offset = generator.integers(self.tokens - self.windows * self.length + 1)
            starts[here] = offset + self.length * _permutation(self.windows, generator)(places[here] % self.windows)
        return starts


class BucketedOrder:
    """Every sample once an epoch, in batches of similar lengths (less padding) that come in random order.

    An epoch is cut into batches that differ by one sample at most: no rank ever gets the crumbs of a last one.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths, self.batch_size, self.seed = np.asarray(lengths), batch_size, seed
        self.steps_per_epoch = -(-len(lengths) // batch_size)

    def samples(self, step: int) -> np.ndarray:
        """Indices of the samples in the batch of a step, counted from 0."""
        epoch, place = divmod(step, self.steps_per_epoch)
        generator = derived(self.seed, "buckets", epoch)
        shuffled = _permutation(len(self.lengths), generator)
        batch = int(_permutation(self.steps_per_epoch, generator)(np.array([place]))[0])
        first = batch // POOL_BATCHES * POOL_BATCHES
        begin, end = self._begin(first), self._begin(min(first + POOL_BATCHES, self.steps_per_epoch))
        pool = shuffled(np.arange(begin, end))
        pool = pool[np.argsort(self.lengths[pool], kind="stable")]
        return pool[self._begin(batch) - begin : self._begin(batch + 1) - begin]

    def _begin(self, batch: int) -> int:
        return batch * len(self.lengths) // self.steps_per_epoch


def _permutation(size: int, generator: np.random.Generator) -> Permutation:
    return Permutation(size, generator.integers(2**63, size=ROUNDS, dtype=np.uint64))
