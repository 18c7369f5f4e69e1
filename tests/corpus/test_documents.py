"""Shards of documents: equal rows, equal bytes; read in batches; damage named."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.corpus.documents import (
    documents_of,
    in_validation_split,
    read_documents,
    read_shard,
    shard_paths,
    write_shard,
)
from components.errors import ArtifactError

ROWS = [{"id": f"sea/{number}", "text": f"第{number}首", "source": "sea", "language": "zh"} for number in range(3000)]


def test_documents_are_read_as_they_were_written_batch_by_batch(tmp_path: Path) -> None:
    write_shard(tmp_path / "train" / "a.parquet", ROWS[:2000])
    write_shard(tmp_path / "train" / "b.parquet", ROWS[2000:])
    batches = list(read_documents(tmp_path, "train", ["id", "text"]))
    assert max(len(batch) for batch in batches) <= 1024
    expected = [{"id": row["id"], "text": row["text"]} for row in ROWS]
    assert list(documents_of(batches)) == expected


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_shard(tmp_path / name, ROWS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_split_without_shards_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"train: no documents here\nrun `dvc repro`"):
        shard_paths(tmp_path, "train")


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_shard(path, ROWS)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ArtifactError, match=r"a\.parquet: damaged"):
        list(read_shard(path))


def test_about_the_asked_share_falls_to_validation_and_other_seeds_choose_others() -> None:
    texts = [f"document {number}" for number in range(4000)]
    chosen = {text for text in texts if in_validation_split(text, 0.1, seed=1)}
    assert len(chosen) == pytest.approx(400, rel=0.2)
    assert chosen != {text for text in texts if in_validation_split(text, 0.1, seed=2)}


def test_larger_validation_split_holds_the_smaller_one() -> None:
    texts = [f"document {number}" for number in range(1000)]
    small, large = ({text for text in texts if in_validation_split(text, share, 1)} for share in (0.1, 0.3))
    assert small < large
