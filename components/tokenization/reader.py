"""Packed tokens as one long array, read through memory maps."""

from __future__ import annotations

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
        self._maps = [_mapped(folder / shard["file"], shard["tokens"], dtype) for shard in shards]
        self._ends = np.cumsum([len(shard) for shard in self._maps])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def gather(self, starts: np.ndarray, length: int) -> np.ndarray:
        """int64 [len(starts), length]: the `length` tokens from each start on, across shards.

        Every start must lie in 0 .. len(self) - length.
        """
        places = np.asarray(starts, dtype=np.int64)[:, None] + np.arange(length)
        if places.size and (places.min() < 0 or places.max() >= len(self)):
            raise IndexError(f"starts must lie in 0 .. {len(self) - length}")
        if len(self._maps) == 1:
            return self._maps[0][places].astype(np.int64)
        shards = np.searchsorted(self._ends, places, side="right")
        tokens = np.empty(places.shape, dtype=np.int64)
        for number in np.unique(shards):
            here = shards == number
            begin = self._ends[number] - len(self._maps[number])
            tokens[here] = self._maps[number][places[here] - begin]
        return tokens


def _mapped(path: Path, tokens: int, dtype: np.dtype) -> np.ndarray:
    if not path.is_file():
        raise ArtifactError(f"{path}: missing", "run `dvc checkout` to restore it")
    if path.stat().st_size != tokens * dtype.itemsize:
        raise ArtifactError(f"{path}: not {tokens:,} tokens long", "run `dvc checkout` to restore it")
    return np.memmap(path, dtype=dtype, mode="r")
