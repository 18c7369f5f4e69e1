"""Random generators seeded by (seed, purpose, step), so that a resumed training needs no saved generator state."""

from __future__ import annotations

import zlib

import numpy as np
import torch


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
