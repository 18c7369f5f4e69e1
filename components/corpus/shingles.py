"""Texts as runs of hashed n-grams, to detect near duplicates and held-out rows.

A unit is a casefolded word, or a single letter of a script written without spaces; punctuation and white space are
none. So case, spaces and punctuation make no difference. Whole documents are hashed at once with numpy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import xxhash

Hashes = npt.NDArray[np.uint64]

# Scripts without spaces between words, one unit a character: kana, Han with all extensions, Hangul is left as words.
SPACELESS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
UNIT = re.compile(f"[{SPACELESS}]|[^\\W_{SPACELESS}]+")
ASCII_UNIT = re.compile("[a-z0-9]+")
"""As UNIT, in casefolded ASCII, where it takes a third of the time."""
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, as in Fibonacci hashing


def units(text: str) -> Hashes:
    """A 64-bit hash of each unit of the text, in order."""
    found = (ASCII_UNIT if text.isascii() else UNIT).findall(text.casefold())
    return np.fromiter(map(_hash, found), np.uint64, len(found))


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


def n_grams_of_all(texts: Sequence[Hashes], n: int) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """The n-grams of several texts, one after the other, and how many each text has; no text is empty."""
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    if lengths.min() < n:
        found = [n_grams(text, n) for text in texts]
        return np.concatenate(found), np.fromiter(map(len, found), np.int64, len(found))
    inside = np.ones(lengths.sum() - n + 1, np.bool_)
    inside[(np.cumsum(lengths)[:-1, None] - np.arange(1, n)).ravel()] = False
    return n_grams(np.concatenate(texts), n)[inside], lengths - n + 1


class Runs:
    """Runs of words in a text without white space, hashed by their characters: equal runs have equal hashes.

    bounds: int64 [words + 1], where each word begins, and the end of the last.
    """

    def __init__(self, text: str, bounds: npt.NDArray[np.int64]) -> None:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
        up, down = _powers(len(codes).bit_length())
        sums = np.zeros(len(codes) + 1, np.uint64)
        np.cumsum(codes * down[: len(codes)], out=sums[1:])
        self._bounds, self._sums, self._up = bounds, sums[bounds], up[bounds]

    def hashes(self, n: int) -> Hashes:
        """uint64 [words - n + 1]: a hash of each run of n words, however its characters are cut into words."""
        return (self._sums[n:] - self._sums[:-n]) * self._up[:-n]

    def lengths(self, n: int) -> npt.NDArray[np.int64]:
        """int64 [words - n + 1]: the characters of each run of n words."""
        return self._bounds[n:] - self._bounds[:-n]


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
