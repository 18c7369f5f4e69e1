"""Windows of packed tokens are what stands in the stream, across shards too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.artifacts import write_manifest
from components.errors import ArtifactError
from components.tokenization.reader import PackedTokens
from components.tokenization.shards import Shards

STREAM = np.random.default_rng(1).integers(0, 60_000, 1000)


def packed(folder: Path, shard_tokens: int, dtype: str = "uint16") -> Path:
    shards = Shards(folder, "train-", np.dtype(dtype).newbyteorder("<"), shard_tokens)
    shards.add(STREAM)
    splits = {"train": {"documents": 1, "tokens": shards.tokens, "shards": shards.files}}
    write_manifest(folder, "tokens", {}, dtype=dtype, vocab_size=60_000, splits=splits)
    return folder


@pytest.mark.parametrize("shard_tokens", [1000, 300, 7])
@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
def test_windows_are_slices_of_the_stream(tmp_path: Path, shard_tokens: int, dtype: str) -> None:
    tokens = PackedTokens(packed(tmp_path, shard_tokens, dtype), "train")
    starts = np.array([0, 299, 990, 5, 5])
    windows = tokens.gather(starts, 10)
    assert len(tokens) == 1000
    assert windows.dtype == np.int64
    assert np.array_equal(windows, np.stack([STREAM[start : start + 10] for start in starts]))


def test_windows_past_either_end_are_refused(tmp_path: Path) -> None:
    tokens = PackedTokens(packed(tmp_path, 300), "train")
    for start in (-1, 991):
        with pytest.raises(IndexError, match=r"0 \.\. 990"):
            tokens.gather(np.array([start]), 10)


def test_shard_cut_short_is_named(tmp_path: Path) -> None:
    shard = packed(tmp_path, 300) / "train-00001.bin"
    shard.write_bytes(shard.read_bytes()[:-2])
    with pytest.raises(ArtifactError, match=r"train-00001\.bin: not 300 tokens long"):
        PackedTokens(tmp_path, "train")


def test_missing_shard_is_named(tmp_path: Path) -> None:
    (packed(tmp_path, 300) / "train-00002.bin").unlink()
    with pytest.raises(ArtifactError, match=r"train-00002\.bin: missing"):
        PackedTokens(tmp_path, "train")
