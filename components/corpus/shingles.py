"""Texts as runs of hashed n-grams, to detect near duplicates and held-out rows.

A unit is a casefolded word, or a single letter of a script written without spaces; punctuation and white space are
none. So case, spaces and punctuation make no difference. Whole documents are hashed at once with numpy.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import xxhash

Hashes = npt.NDArray[np.uint64]

# Scripts without spaces between words, one unit a character: kana, Han with all extensions, Hangul is left as words.
SPACELESS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
UNIT = re.compile(f"[{SPACELESS}]|[^\\W_{SPACELESS}]+")
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, as in Fibonacci hashing


def units(text: str) -> Hashes:
    """A 64-bit hash of each unit of the text, in order."""
    return np.fromiter(map(_hash, UNIT.findall(text.casefold())), np.uint64)


def n_grams(hashes: Hashes, n: int) -> Hashes:
    """A hash of each run of n units; one hash of the whole text where it has fewer, none where it has no unit."""
    n = min(n, len(hashes))
    if n == 0:
        return hashes
    # A run's hash is the sum of its units times falling powers of one factor: a difference of running sums, for any n.
    up, down = _powers(len(hashes).bit_length())
    sums = np.zeros(len(hashes) + 1, np.uint64)
    np.cumsum(hashes * down[: len(hashes)], out=sums[1:])
    return mixed((sums[n:] - sums[:-n]) * up[: len(hashes) - n + 1])


@lru_cache(maxsize=64)
def _powers(bits: int) -> tuple[Hashes, Hashes]:
    """The first 2^bits powers of MULTIPLIER and of its inverse, modulo 2^64."""
    factors = np.full((2, 1 << bits), MULTIPLIER)
    factors[1] = pow(int(MULTIPLIER), -1, 1 << 64)
    factors[:, 0] = 1
    up, down = np.cumprod(factors, axis=1)
    return up, down


def mixed(values: Hashes) -> Hashes:
    """Every bit of a value spread over all 64 (the finalizer of SplitMix64, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@lru_cache(maxsize=1 << 18)
def _hash(unit: str) -> int:
    return xxhash.xxh3_64_intdigest(unit.encode())
