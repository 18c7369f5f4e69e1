"""Random numbers that a step alone decides: derived from (seed, purpose, step), so there is no state to save."""

from __future__ import annotations

import zlib

import numpy as np
import torch


def derived(seed: int, purpose: str, step: int = 0) -> np.random.Generator:
    """A numpy generator for one purpose at one step (or epoch)."""
    return np.random.Generator(np.random.Philox(_sequence(seed, purpose, step)))


def derived_torch(seed: int, purpose: str, step: int = 0) -> torch.Generator:
    """The same for torch, on the CPU."""
    return torch.Generator().manual_seed(derived_seed(seed, purpose, step))


def derived_seed(seed: int, purpose: str, step: int = 0) -> int:
    """An integer of 63 bits for libraries that take nothing but a seed."""
    return int(_sequence(seed, purpose, step).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _sequence(seed: int, purpose: str, step: int) -> np.random.SeedSequence:
    return np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), step])
