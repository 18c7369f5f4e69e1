"""Packed tokens as one long array, read through memory maps."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import as_strided

from components.artifacts import read_manifest
from components.errors import ArtifactError


class PackedTokens:
    """A split of the artifact `tokens`: `len()` is its number of tokens.

    Raises ArtifactError when a shard is missing or is not as long as the manifest says.
    """

    def __init__(self, folder: Path, split: str) -> None:
        manifest = read_manifest(folder, "tokens")
        dtype = np.dtype(manifest["dtype"]).newbyteorder("<")
        shards = manifest["splits"][split]["shards"]
        self.vocab_size: int = manifest["vocab_size"]
        self._shards = [_mapped(folder / shard["file"], shard["tokens"], dtype) for shard in shards]
        self._ends = np.cumsum([len(shard) for shard in self._shards])
        begins = self._ends - [len(shard) for shard in self._shards]
        addresses = np.array([shard.__array_interface__["data"][0] for shard in self._shards])
        self._lowest = self._shards[int(addresses.argmin())]
        self._shifts = (addresses - addresses.min()) // dtype.itemsize - begins
        self._of_length: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __len__(self) -> int:
        return int(self._ends[-1])

    def gather(self, starts: np.ndarray, length: int) -> np.ndarray:
        """int64 [len(starts), length]: the `length` tokens from each start on, across shards.

        Every start must lie in 0 .. len(self) - length.
        """
        starts = np.asarray(starts, dtype=np.int64)
        if length not in self._of_length:
            self._of_length[length] = self._windows(length), self._bounds(length)
        windows, bounds = self._of_length[length]
        shards = self._ends.searchsorted(starts, side="right")
        # Calls count: a small batch takes few microseconds. A negative start is a large unsigned number.
        outside = starts.view(np.uint64) >= bounds[shards]
        if np.count_nonzero(outside):
            return self._joined(starts, outside, length)
        return windows[starts + self._shifts[shards]].astype(np.int64)

    def _joined(self, starts: np.ndarray, outside: np.ndarray, length: int) -> np.ndarray:
        """The same where some windows do not lie in one shard."""
        if starts.min() < 0 or starts.max() > len(self) - length:
            raise IndexError(f"starts must lie in 0 .. {len(self) - length}")
        found = np.empty((len(starts), length), dtype=np.int64)
        found[~outside] = self.gather(starts[~outside], length)
        for row in np.flatnonzero(outside):
            found[row] = np.concatenate(list(self._parts(int(starts[row]), int(starts[row]) + length)))
        return found

    def _windows(self, length: int) -> np.ndarray:
        """Every run of `length` tokens from the lowest address of the shards to the highest.

        One array over all maps, and over what lies between them, takes the windows of a batch from any shards in one
        call. Only runs that lie in one shard may be read; `_shards` keeps the maps open.
        """
        runs = int((self._shifts + self._ends).max())
        step = self._lowest.itemsize
        return as_strided(self._lowest, (runs, length), (step, step), writeable=False)

    def _bounds(self, length: int) -> np.ndarray:
        """Of each shard, the first start whose window crosses its end; 0 for starts behind all shards."""
        return np.append(np.maximum(self._ends - length + 1, 0), 0).astype(np.uint64)

    def _parts(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """The tokens start .. stop - 1, in parts from each of their shards."""
        while start < stop:
            shard = int(self._ends.searchsorted(start, side="right"))
            part = self._shards[shard][start - int(self._ends[shard]) :][: stop - start]
            yield part
            start += len(part)


def _mapped(path: Path, tokens: int, dtype: np.dtype) -> np.ndarray:
    """A shard's tokens. np.memmap takes several times as long to open, and a corpus may have many shards."""
    if not path.is_file():
        raise ArtifactError(f"{path}: missing", "run `dvc checkout` to restore it")
    with path.open("rb") as stream:
        if os.fstat(stream.fileno()).st_size != tokens * dtype.itemsize:
            raise ArtifactError(f"{path}: not {tokens:,} tokens long", "run `dvc checkout` to restore it")
        content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(content, dtype=dtype)
