"""Which samples stand in the batch of a step: pure functions of (seed, step), computed where they are asked for.

There is no sampler whose state could be lost: any process, on any rank, can name the samples of any step. A batch
here is the global one; how it is divided among ranks and micro-batches does not change what is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from components.training.randomness import ROUNDS, Permutation, seeded_generator

BLOCK = 4096
"""Windows whose places are computed together: one numpy call for many steps."""
POOL_BATCHES = 16
"""Batches sorted by length together: large enough to pad little, small enough to leave the order random."""


class WindowOrder:
    """Windows of packed tokens in a new order every epoch, each epoch's windows starting at another offset."""

    def __init__(self, tokens: int, length: int, batch_size: int, seed: int) -> None:
        self.tokens, self.length, self.batch_size, self.seed = tokens, length, batch_size, seed
        self.windows = max(tokens // length - 1, 1)
        self._block = lru_cache(maxsize=2)(self._computed_block)

    def samples(self, step: int) -> np.ndarray:
        """First token of each window in the batch of a step, counted from 0."""
        first, end = step * self.batch_size, (step + 1) * self.batch_size
        block, place = divmod(first, BLOCK)
        if place + self.batch_size <= BLOCK:
            return self._block(block)[place : place + self.batch_size]
        blocks = np.concatenate([self._block(number) for number in range(block, -(-end // BLOCK))])
        return blocks[place : place + self.batch_size]

    def _computed_block(self, number: int) -> np.ndarray:
        """The starts at BLOCK places in a row, of one epoch or several."""
        places = np.arange(number * BLOCK, (number + 1) * BLOCK)
        epochs = places // self.windows
        starts = np.empty(BLOCK, dtype=np.int64)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            here = epochs == epoch
            generator = seeded_generator(self.seed, "windows", epoch)
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
        self._permutations = lru_cache(maxsize=2)(self._of_epoch)
        self._batch = lru_cache(maxsize=2)(self._batch_of_step)
        self._pool = lru_cache(maxsize=64)(self._sorted_pool)

    def samples(self, step: int) -> np.ndarray:
        """Indices of the samples in the batch of a step, counted from 0."""
        epoch, batch = self._batch(step)
        first = batch // POOL_BATCHES
        begin = self._begin(first * POOL_BATCHES)
        return self._pool(epoch, first)[self._begin(batch) - begin : self._begin(batch + 1) - begin]

    def size(self, step: int) -> int:
        """How many samples the batch of a step has."""
        _, batch = self._batch(step)
        return self._begin(batch + 1) - self._begin(batch)

    def _batch_of_step(self, step: int) -> tuple[int, int]:
        epoch, place = divmod(step, self.steps_per_epoch)
        _, batches = self._permutations(epoch)
        return epoch, int(batches(np.array([place]))[0])

    def _sorted_pool(self, epoch: int, number: int) -> np.ndarray:
        shuffled, _ = self._permutations(epoch)
        first, last = number * POOL_BATCHES, min((number + 1) * POOL_BATCHES, self.steps_per_epoch)
        pool = shuffled(np.arange(self._begin(first), self._begin(last)))
        return pool[np.argsort(self.lengths[pool], kind="stable")]

    def _of_epoch(self, epoch: int) -> tuple[Permutation, Permutation]:
        """The order of the samples, and that of the batches."""
        generator = seeded_generator(self.seed, "buckets", epoch)
        return _permutation(len(self.lengths), generator), _permutation(self.steps_per_epoch, generator)

    def _begin(self, batch: int) -> int:
        return batch * len(self.lengths) // self.steps_per_epoch


def _permutation(size: int, generator: np.random.Generator) -> Permutation:
    return Permutation(size, generator.integers(2**63, size=ROUNDS, dtype=np.uint64))
