"""A shard's tokens: how they are cut into files, and how often a document is taken under a weight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.tokenization.shards import Shards, times_met, token_type


def test_large_vocabularies_take_four_bytes_a_token(tmp_path: Path) -> None:
    shards = Shards(tmp_path, "train-", token_type(70_001), shard_tokens=3)
    shards.add(np.array([70_000, 1, 2, 3, 4]))
    shards.add(np.array([5]))
    assert [shard["tokens"] for shard in shards.files] == [3, 3]
    assert np.fromfile(tmp_path / "train-00000.bin", "<u4").tolist() == [70_000, 1, 2]
    assert np.fromfile(tmp_path / "train-00001.bin", "<u4").tolist() == [3, 4, 5]
    assert token_type(2**16).itemsize == 2


@pytest.mark.parametrize(("weight", "mean"), [(0.0, 0), (0.5, 0.5), (1.0, 1), (2.0, 2), (2.25, 2.25)])
def test_a_document_is_taken_as_often_as_its_weight_says(weight: float, mean: float) -> None:
    times = [times_met(f"garden/{number}", weight) for number in range(4000)]
    assert np.mean(times) == pytest.approx(mean, abs=0.03)
    assert set(times) <= {int(weight), int(weight) + 1}
    assert times == [times_met(f"garden/{number}", weight) for number in range(4000)]


def test_a_larger_weight_keeps_the_documents_of_a_smaller_one() -> None:
    names = [f"文章/{number}" for number in range(500)]
    some = {name for name in names if times_met(name, 0.2)}
    assert some < {name for name in names if times_met(name, 0.6)}
