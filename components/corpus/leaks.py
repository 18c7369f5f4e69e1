"""Documents that leak a held-out text by a passage alone, where few documents of the corpus have that passage.

A passage that many documents have is a phrase ("the end of the day"): it gives nothing away, and to reject all of them
would empty the corpus.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.corpus.decontamination import HeldOut
from components.corpus.filter_block import read_filtered

Leaks = list[dict[int, str]]
"""For each filtered block, the row numbers with a leak, and the reason."""


def find_leaks(paths: Sequence[Path], held_out: HeldOut, most: int) -> Leaks:
    """Scan the filtered blocks twice. `most`: the largest number of documents with a passage that still counts as a
    leak.
    """
    counts: npt.NDArray[np.int64] = np.zeros(0, np.int64)
    for path in paths:
        found = np.bincount(_passages(path)[1], minlength=len(counts))
        found[: len(counts)] += counts
        counts = found
    return [_in_block(path, counts, held_out, most) for path in paths]


def _in_block(path: Path, counts: npt.NDArray[np.int64], held_out: HeldOut, most: int) -> dict[int, str]:
    rows, owners = _passages(path)
    rare = counts[owners] <= most
    leaked: dict[int, list[int]] = {}
    for row, owner in zip(rows[rare].tolist(), owners[rare].tolist(), strict=True):
        leaked.setdefault(row, []).append(owner)
    return {row: reason for row, found in leaked.items() if (reason := held_out.reason(found))}


def _passages(path: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Row numbers of a block, each with a held-out text of which the row has a passage."""
    column = read_filtered(path, ["passages"]).column("passages").combine_chunks()
    counts = np.diff(column.offsets.to_numpy())
    rows = np.repeat(np.arange(len(column)), counts)
    return rows, column.flatten().to_numpy().astype(np.int64)
