"""A permutation of 0 .. n-1 that is computed, not stored: any place of it in constant time and memory.

A Feistel network over the smallest square power of two that holds n, walked on until the result lies below n: a
bijection whatever its round function is (Luby & Rackoff 1988; cycle walking: Black & Rogaway 2002).
"""

from __future__ import annotations

import numpy as np

ROUNDS = 6
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class Permutation:
    """A pseudo-random bijection of range(size), chosen by `keys` (ROUNDS numbers of 64 bits)."""

    def __init__(self, size: int, keys: np.ndarray) -> None:
        if size < 1:
            raise ValueError(f"nothing to permute: size {size}")
        self.size = size
        half = max(1, -(-(size - 1).bit_length() // 2))
        self._half, self._mask = np.uint64(half), np.uint64((1 << half) - 1)
        self._keys = keys.astype(np.uint64)

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """int64: what stands at each of the places, all of which must lie in range(size)."""
        found = np.array(places, dtype=np.uint64)
        if found.size and int(found.max()) >= self.size:
            raise IndexError(f"places must lie in 0 .. {self.size - 1}")
        outside = np.ones(found.shape, dtype=bool)
        while outside.any():
            found[outside] = self._network(found[outside])
            outside = found >= self.size
        return found.astype(np.int64)

    def _network(self, numbers: np.ndarray) -> np.ndarray:
        left, right = numbers >> self._half, numbers & self._mask
        for key in self._keys:
            left, right = right, left ^ (_mixed(right + key) & self._mask)
        return (left << self._half) | right


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele 2014): every input bit moves every output bit."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * _MIX[0]
    numbers = (numbers ^ (numbers >> np.uint64(27))) * _MIX[1]
    return numbers ^ (numbers >> np.uint64(31))
