"""Documents that nearly repeat an earlier one: MinHash (Broder 1997) in bands (Leskovec et al., chapter 3).

The scheme of datatrove and FineWeb (Penedo et al. 2024) with other sizes: 240 hashes, of each only the lowest byte
(b-bit minwise hashing, Li and König 2010), in 60 bands of 4. Shingles are pairs of neighbouring words, or of characters
in Chinese. Two texts are candidates where a band agrees, and near duplicates where the estimated Jaccard similarity of
their shingles reaches what is asked. Of short texts more is asked, since a formula ("X is a village in Y") makes most
of them alike: of a text with u < 100 units 1 - (1 - near_duplicate_similarity) * u / 100.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from components.corpus.config import CurateConfig
from components.corpus.shingles import Hashes, mixed, n_grams_of_all, units

BANDS, ROWS = 60, 4
HASHES = BANDS * ROWS
WIDTH = 1 + HASHES
"""Bytes of a signature: the number of units, at most 255, then one byte for each hash. A text of 0 units is not
compared.
"""
SHINGLE = 2
FULL_LENGTH = 100
NEIGHBOURS = 4
"""The number of earlier documents of a band, beside the first, with which a document is compared."""
CHANCE = 1 / 256
"""The probability that two bytes agree though their hashes differ."""
AT_ONCE = 1 << 15
READ_AT_ONCE = 1 << 12
"""Signatures read from the file at once: 1 MB."""
BANDS_AT_ONCE = 2

Bytes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]


def signatures(texts: Sequence[str], languages: Sequence[str], config: CurateConfig) -> Bytes:
    """[texts, WIDTH] bytes. The units of a text follow from its script, character by character."""
    found = np.zeros((len(texts), WIDTH), np.uint8)
    waiting: list[Hashes] = []
    rows: list[int] = []
    for row, text in enumerate(texts):
        hashes = units(text)
        if not len(hashes):
            continue
        found[row, 0] = min(len(hashes), 255)
        waiting.append(hashes)
        rows.append(row)
        if sum(map(len, waiting)) > AT_ONCE or len(waiting) == 64:
            found[rows, 1:] = _least(waiting)
            waiting, rows = [], []
    if rows:
        found[rows, 1:] = _least(waiting)
    return found


def find_near_duplicates(blocks: Iterable[Bytes], config: CurateConfig) -> Indices:
    """For each document the index of the first one of its cluster, or -1 for that one and all that stand alone.

    Signatures wait in a temporary file. In memory are some 35 bytes a document. The blocks' size makes no difference.
    """
    with TemporaryFile() as file:
        signed = _Signed(file, blocks)
        first: Indices = np.arange(signed.total)
        for band in range(BANDS):
            pairs = [np.zeros((2, 0), np.int64)]
            for candidates in _candidates(signed.keys(band), signed.lengths):
                apart = candidates[:, first[candidates[0]] != first[candidates[1]]]
                pairs.append(_alike(signed, apart, config.near_duplicate_similarity))
            alike = np.concatenate(pairs, axis=1)
            if alike.size:
                first = _joined(first, *alike)
    first[first == np.arange(len(first))] = -1
    return first


class _Signed:
    """All signatures, in a file. `lengths`: uint8 [total], their first bytes."""

    def __init__(self, file: IO[bytes], blocks: Iterable[Bytes]) -> None:
        self._file = file
        lengths = [np.zeros(0, np.uint8)]
        for block in blocks:
            file.write(np.ascontiguousarray(block).tobytes())
            lengths.append(block[:, 0].copy())
        file.flush()
        self.lengths = np.concatenate(lengths)
        self.total = len(self.lengths)
        self._begin = -1
        self._keys = np.zeros((0, 0), np.uint32)

    def keys(self, band: int) -> npt.NDArray[np.uint32]:
        """[total]: the values of the documents in a band. The file is read once for several neighbouring bands."""
        begin = band - band % BANDS_AT_ONCE
        if begin != self._begin:
            place = 1 + begin * ROWS
            self._begin, self._keys = begin, np.empty((BANDS_AT_ONCE, self.total), np.uint32)
            self._file.seek(0)
            for start in range(0, self.total, READ_AT_ONCE):
                rows = np.frombuffer(self._file.read(READ_AT_ONCE * WIDTH), np.uint8).reshape(-1, WIDTH)
                part = np.ascontiguousarray(rows[:, place : place + BANDS_AT_ONCE * ROWS]).view(np.uint32)
                self._keys[:, start : start + len(part)] = part.T
        return self._keys[band - begin]

    def rows(self, documents: Indices) -> Bytes:
        """[documents, WIDTH]. Read, not mapped: a mapped page brings its neighbours along, and soon all are there."""
        number = self._file.fileno()
        found = b"".join(os.pread(number, WIDTH, place) for place in (documents.astype(np.int64) * WIDTH).tolist())
        return np.frombuffer(found, np.uint8).reshape(-1, WIDTH)


def _joined(first: Indices, before: Indices, after: Indices) -> Indices:
    """The first document of each document's cluster, once the pairs are joined. Only the clusters of the pairs are a
    graph: most documents are in none.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    joined, ends = np.unique(np.stack([first[before], first[after]]), return_inverse=True)
    edges = coo_array((np.ones(ends.shape[1], np.bool_), tuple(ends)), shape=(len(joined), len(joined)))
    count, cluster = connected_components(edges, directed=False)
    firsts = np.full(count, len(first))
    np.minimum.at(firsts, cluster, joined)
    now = np.arange(len(first))
    now[joined] = firsts[cluster]
    return now[first]


def similarity(one: Bytes, other: Bytes) -> npt.NDArray[np.float32]:
    """The estimated Jaccard similarity, row by row, of signatures [n, WIDTH]; its standard error is at most 0.033."""
    agreeing = np.count_nonzero(one[:, 1:] == other[:, 1:], axis=1).astype(np.float32) / HASHES
    return (agreeing - CHANCE) / (1 - CHANCE)


def _least(texts: list[Hashes]) -> Bytes:
    """[texts, HASHES]: for each hash, the low byte of its minimum over a text's shingles. `texts`: their units."""
    values, counts = n_grams_of_all(texts, SHINGLE)
    starts = np.cumsum(counts) - counts
    factors, offsets = _functions()
    least = np.empty((HASHES, len(texts)), np.uint64)
    hashed = np.empty_like(values)
    for number in range(HASHES):
        np.multiply(values, factors[number], out=hashed)
        np.add(hashed, offsets[number], out=hashed)
        np.minimum.reduceat(hashed, starts, out=least[number])
    return (mixed(least) >> np.uint64(56)).astype(np.uint8).T


@cache
def _functions() -> tuple[Hashes, Hashes]:
    """Factors, all odd, and offsets of the hash functions: x -> factor * x + offset modulo 2^64."""
    drawn = mixed(np.arange(1, 2 * HASHES + 1, dtype=np.uint64))
    return drawn[:HASHES] | np.uint64(1), drawn[HASHES:]


def _candidates(keys: npt.NDArray[np.uint32], lengths: Bytes) -> Iterator[Indices]:
    """Pairs [2, n], earlier and later, that agree in a band: each document with the first and with a few earlier
    ones.
    """
    order = repeated(keys)
    order = order[lengths[order] > 0]
    order = order[np.argsort(keys[order], kind="stable")]
    keys = keys[order]
    position = np.arange(len(keys))
    starts = np.maximum.accumulate(np.where(np.diff(keys, prepend=~keys[:1]) != 0, position, 0))
    later = position[starts < position]
    yield order[np.stack([starts[later], later])]
    for distance in range(1, NEIGHBOURS + 1):
        later = later[later - distance > starts[later]]
        yield order[np.stack([later - distance, later])]


def repeated(values: npt.NDArray[np.unsignedinteger[Any]]) -> Indices:
    """The indices, in order, of the values that occur more than once: few, so that more can be done with these."""
    order = np.argsort(values)
    ordered = values[order]
    same = ordered[1:] == ordered[:-1]
    among = np.zeros(len(values), np.bool_)
    among[1:] = same
    among[:-1] |= same
    return np.sort(order[among])


def _alike(signed: _Signed, pairs: Indices, wanted: float) -> Indices:
    """The pairs [2, n] that are near duplicates."""
    alike = np.zeros(pairs.shape[1], np.bool_)
    for start in range(0, len(alike), READ_AT_ONCE):
        one, other = (signed.rows(documents) for documents in pairs[:, start : start + READ_AT_ONCE])
        length = np.minimum(np.minimum(one[:, 0], other[:, 0]), FULL_LENGTH)
        alike[start : start + READ_AT_ONCE] = similarity(one, other) >= 1 - (1 - wanted) * length / FULL_LENGTH
    return pairs[:, alike]
