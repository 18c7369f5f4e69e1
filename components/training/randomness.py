"""Random generators seeded by (seed, purpose, step), and permutations: a resumed training needs no saved state."""

from __future__ import annotations

import zlib

import numpy as np
import torch

ROUNDS = 6
_FACTOR, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(32)


def seeded_generator(seed: int, purpose: str, step: int = 0) -> np.random.Generator:
    """A numpy generator for one purpose at one step (or epoch)."""
    return np.random.Generator(np.random.Philox(_sequence(seed, purpose, step)))


def seeded_torch_generator(seed: int, purpose: str, step: int = 0) -> torch.Generator:
    """The same for torch, on the CPU."""
    return torch.Generator().manual_seed(derived_seed(seed, purpose, step))


def derived_seed(seed: int, purpose: str, step: int = 0) -> int:
    """A seed of 63 bits for libraries that take an integer."""
    return int(_sequence(seed, purpose, step).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _sequence(seed: int, purpose: str, step: int) -> np.random.SeedSequence:
    return np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), step])


class Permutation:
    """A pseudo-random bijection of range(size), chosen by `keys` (ROUNDS numbers of 64 bits).

    Computed, not stored: any place of it in constant time and memory. A Feistel network over the smallest power of two
    that holds `size`, applied until the result lies below it: a bijection whatever its round function is (Luby &
    Rackoff 1988; cycle walking: Black & Rogaway 2002).
    """

    def __init__(self, size: int, keys: np.ndarray) -> None:
        if size < 1:
            raise ValueError(f"nothing to permute: size {size}")
        self.size = size
        bits = max(2, (size - 1).bit_length())
        low = bits // 2
        self._low = np.uint64(low)
        self._masks = np.uint64((1 << low) - 1), np.uint64((1 << (bits - low)) - 1)
        self._keys = [np.uint64(key) for key in keys]

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """int64: what stands at each of the places, all of which must lie in range(size)."""
        found = np.array(places, dtype=np.uint64)
        if found.size and int(found.max()) >= self.size:
            raise IndexError(f"places must lie in 0 .. {self.size - 1}")
        found = self._network(found)
        # The power of two is less than twice the size: about every second number has to walk on.
        outside = np.flatnonzero(found >= self.size)
        while outside.size:
            found[outside] = self._network(found[outside])
            outside = outside[found[outside] >= self.size]
        return found.astype(np.int64)

    def _network(self, numbers: np.ndarray) -> np.ndarray:
        halves = [numbers & self._masks[0], numbers >> self._low]
        for number, key in enumerate(self._keys):
            changed, read = number % 2, 1 - number % 2
            halves[changed] ^= _mixed(halves[read] + key) & self._masks[changed]
        return (halves[1] << self._low) | halves[0]


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Multiplicative hashing (Knuth 1973): the product's upper bits depend on all bits below them."""
    numbers = numbers * _FACTOR
    return numbers ^ (numbers >> _SHIFT)
