"""Keys and values of rows that come and go: each row knows its place in the arrays of the batch it was last in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CacheSlot:
    """The tokens `start` to `stop` of row `index` in arrays (rows, heads, tokens, width), a key and a value a layer."""

    arrays: list[np.ndarray]
    index: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def stack_cache(places: Sequence[CacheSlot]) -> list[np.ndarray]:
    """The rows as one batch, their tokens at the right, zeros at the left. A batch that stayed as it was is not
    copied."""
    longest = max(len(place) for place in places)
    first = places[0].arrays
    rows, _, tokens, _ = first[0].shape
    if (rows, tokens) == (len(places), longest) and all(
        place.arrays is first and place.index == row and place.stop == tokens for row, place in enumerate(places)
    ):
        return first
    return [_batch([(place.arrays[number], place) for place in places], longest) for number in range(len(first))]


def split_cache(arrays: list[np.ndarray], lengths: Sequence[int]) -> list[CacheSlot]:
    """The places of rows whose tokens stand at the right of a batch."""
    width = arrays[0].shape[2]
    return [CacheSlot(arrays, row, width - length, width) for row, length in enumerate(lengths)]


def mask_of(lengths: Sequence[int]) -> np.ndarray:
    """1 at each row's last tokens, int64 (rows, the longest)."""
    places = np.arange(max(lengths))
    return (places[None, :] >= len(places) - np.array(lengths)[:, None]).astype(np.int64)


def left_pad(rows: Sequence[Sequence[int]], pad_id: int) -> np.ndarray:
    """Ids of each row at the right, int64 (rows, the longest)."""
    ids = np.full((len(rows), max(len(row) for row in rows)), pad_id, dtype=np.int64)
    for number, row in enumerate(rows):
        ids[number, ids.shape[1] - len(row) :] = row
    return ids


def _batch(rows: Sequence[tuple[np.ndarray, CacheSlot]], longest: int) -> np.ndarray:
    _, heads, _, width = rows[0][0].shape
    batch = np.zeros((len(rows), heads, longest, width), dtype=rows[0][0].dtype)
    for number, (array, place) in enumerate(rows):
        batch[number, :, longest - len(place) :] = array[place.index, :, place.start : place.stop]
    return batch
