"""Duplicates and near duplicates over the whole corpus: the first of equal rows stays. Memory holds fingerprints and
MinHash signatures, never texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from components.corpus.config import CurateConfig
from components.corpus.filter_block import candidates, read_filtered, read_signatures
from components.corpus.leaks import Leaks
from components.corpus.near_duplicates import find_near_duplicates, repeated


@dataclass(frozen=True)
class Duplicates:
    """For each candidate row of each block, the number of the earlier candidate that it repeats, or -1.

    `exact` and `near`: int64 [candidates of all blocks]; `begins`: the number of each block's first candidate. `leaks`:
    rows that leak a held-out text and are therefore no candidates.
    """

    exact: np.ndarray
    near: np.ndarray
    begins: np.ndarray
    names: dict[int, str]
    leaks: Leaks

    def rows(self, block: int, path: Path) -> dict[int, tuple[str, str | None]]:
        """The row numbers of a block to leave out, each with its reason and the id of the row that it repeats."""
        part = slice(self.begins[block], self.begins[block + 1])
        [(_, numbers)] = candidates([path], [self.leaks[block]])
        found: dict[int, tuple[str, str | None]] = {row: (reason, None) for row, reason in self.leaks[block].items()}
        for reason, earlier in (("near_duplicate", self.near[part]), ("duplicate", self.exact[part])):
            for place in np.flatnonzero(earlier >= 0).tolist():
                found[int(numbers[place])] = (reason, self.names[int(earlier[place])])
        return found


def find_duplicates(paths: Sequence[Path], leaks: Leaks, config: CurateConfig) -> Duplicates:
    """Detect duplicates in filtered blocks, in order: the first of equal rows stays."""
    counts, marks = [0], [np.empty((0, 2), dtype="<u8")]
    for path, rows in candidates(paths, leaks):
        counts.append(len(rows))
        marks.append(_fingerprints(path, rows))
    exact = earlier_equal(np.concatenate(marks))
    begins = np.cumsum(counts)
    near = _near(paths, leaks, exact, begins, config)
    repeats = np.union1d(exact[exact >= 0], near[near >= 0])
    return Duplicates(exact, near, begins, _names(paths, leaks, begins, repeats), leaks)


def earlier_equal(marks: np.ndarray) -> np.ndarray:
    """int64 [n]: for each row of uint64 [n, 2] the number of the first equal row, -1 where the row is that one."""
    some = repeated(marks[:, 0])
    order = some[np.lexsort((marks[some, 1], marks[some, 0]))]  # stable: equal rows stay in their order
    ordered = marks[order]
    begins = np.ones(len(order), dtype=bool)
    begins[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    firsts = order[np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))]
    earlier = np.full(len(marks), -1, dtype=np.int64)
    earlier[order] = np.where(begins, -1, firsts)
    return earlier


def _near(
    paths: Sequence[Path], leaks: Leaks, exact: np.ndarray, begins: np.ndarray, config: CurateConfig
) -> np.ndarray:
    """Near duplicates among the rows that are no exact duplicates."""
    firsts = np.flatnonzero(exact < 0)
    parts = (
        read_signatures(path, rows[exact[begins[block] : begins[block + 1]] < 0])
        for block, (path, rows) in enumerate(candidates(paths, leaks))
        if len(rows)
    )
    found = find_near_duplicates(parts, config)
    near = np.full(len(exact), -1, dtype=np.int64)
    again = np.flatnonzero(found >= 0)
    near[firsts[again]] = firsts[found[again]]
    return near


def _fingerprints(path: Path, rows: np.ndarray) -> np.ndarray:
    column = read_filtered(path, ["fingerprint"]).column("fingerprint").take(pa.array(rows))
    return np.frombuffer(b"".join(column.to_pylist()), dtype="<u8").reshape(-1, 2)


def _names(paths: Sequence[Path], leaks: Leaks, begins: np.ndarray, wanted: np.ndarray) -> dict[int, str]:
    """The ids of candidates, by number."""
    names: dict[int, str] = {}
    for block, (path, rows) in enumerate(candidates(paths, leaks)):
        here = wanted[(wanted >= begins[block]) & (wanted < begins[block + 1])]
        if len(here):
            ids = read_filtered(path, ["id"]).column("id").take(pa.array(rows[here - begins[block]]))
            names |= dict(zip(here.tolist(), ids.to_pylist(), strict=True))
    return names
