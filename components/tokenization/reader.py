"""Packed tokens as one long array, read through memory maps."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

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
        self._dtype = dtype
        self._shards = [_mapped(folder / shard["file"], shard["tokens"], dtype) for shard in shards]
        self._ends = np.cumsum([len(shard) for shard in self._shards])
        self._begins = self._ends - [len(shard) for shard in self._shards]

    def __len__(self) -> int:
        return int(self._ends[-1])

    def gather(self, starts: np.ndarray, length: int) -> np.ndarray:
        """int64 [len(starts), length]: the `length` tokens from each start on, across shards.

        Every start must lie in 0 .. len(self) - length.
        """
        starts = np.asarray(starts, dtype=np.int64)
        if starts.size and (starts.min() < 0 or starts.max() > len(self) - length):
            raise IndexError(f"starts must lie in 0 .. {len(self) - length}")
        # Bytes are joined rather than tokens indexed: one copy a window instead of one look-up a token.
        shards = self._ends.searchsorted(starts, side="right")
        places = zip(shards.tolist(), (starts - self._begins[shards]).tolist(), strict=True)
        windows: list[memoryview | bytes] = [self._shards[shard][begin : begin + length] for shard, begin in places]
        for row in np.flatnonzero(starts + length > self._ends[shards]).tolist():  # a slice ends with its shard
            windows[row] = b"".join(self._parts(int(starts[row]), int(starts[row]) + length))
        joined = b"".join(windows)
        return np.frombuffer(joined, dtype=self._dtype).astype(np.int64).reshape(len(starts), length)

    def _parts(self, start: int, stop: int) -> Iterator[memoryview]:
        """The tokens start .. stop - 1, in parts from each of their shards."""
        while start < stop:
            shard = int(self._ends.searchsorted(start, side="right"))
            part = self._shards[shard][start - self._begins[shard] :][: stop - start]
            yield part
            start += len(part)


def _mapped(path: Path, tokens: int, dtype: np.dtype) -> memoryview:
    """A shard's tokens. np.memmap takes several times as long to open, and a corpus may have many shards."""
    if not path.is_file():
        raise ArtifactError(f"{path}: missing", "run `dvc checkout` to restore it")
    with path.open("rb") as stream:
        if os.fstat(stream.fileno()).st_size != tokens * dtype.itemsize:
            raise ArtifactError(f"{path}: not {tokens:,} tokens long", "run `dvc checkout` to restore it")
        content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(content, dtype=dtype).data
