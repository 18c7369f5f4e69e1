"""A curated block finished: shards of what is kept, an account of every row."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.corpus.blocks import Block, Row
from components.corpus.documents import SPLITS, documents_of, read_shard
from components.corpus.filter_block import filter_block
from components.corpus.write_block import Work, write_block
from tests.corpus.small_corpus import documents
from tests.corpus.test_filter_block import CRITERIA


@pytest.fixture
def curated(tmp_path: Path) -> Path:
    texts = [row["text"] for row in documents(20)] + ["tiny"]
    rows = [Row("f", line, f"sea_en/{line}", text, "") for line, text in enumerate(texts, 1)]
    return filter_block(CRITERIA, CRITERIA.digest, tmp_path / "cache", Block("sea_en", 0, rows))


def test_rows_left_out_for_what_other_rows_say_are_named(curated: Path, tmp_path: Path) -> None:
    left_out = {2: ("duplicate", "sea_en/1"), 5: ("near_duplicate", "lake/9"), 6: ("in_task_test", None)}
    account = write_block(Work(curated, tmp_path / "corpus", left_out))
    assert [(row["line"], row["reason"], row.get("same_as")) for row in account.rejected] == [
        (3, "duplicate", "sea_en/1"),
        (6, "near_duplicate", "lake/9"),
        (7, "in_task_test", None),
        (21, "too_short", None),
    ]
    ids = [
        row["id"]
        for split in SPLITS
        for path in (tmp_path / "corpus" / split).iterdir()
        for row in documents_of(read_shard(path))
    ]
    assert sorted(ids) == sorted(f"sea_en/{line}" for line in range(1, 21) if line not in (3, 6, 7))
    assert account.kept.total() == account.languages["en"] == account.lengths["en"].sum() == 17


def test_a_shard_is_named_after_its_source_place_and_content(curated: Path, tmp_path: Path) -> None:
    write_block(Work(curated, tmp_path / "corpus", {}))
    [path] = (tmp_path / "corpus" / "train").iterdir()
    assert path.stem == "-".join(curated.stem.split("-")[:3])


def test_a_block_of_which_nothing_is_kept_has_no_shard(curated: Path, tmp_path: Path) -> None:
    left_out: dict[int, tuple[str, str | None]] = dict.fromkeys(range(20), ("duplicate", "other/1"))
    account = write_block(Work(curated, tmp_path / "corpus", left_out))
    assert account.kept.total() == 0
    assert not list((tmp_path / "corpus").rglob("*.parquet"))
