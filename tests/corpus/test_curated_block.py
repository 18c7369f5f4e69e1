"""One block judged: every row with its verdict, kept under a key that everything it depends on goes into."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from components.corpus.blocks import Block, Row
from components.corpus.curated_block import Criteria, curate_block, read_signatures, whole
from components.corpus.decontamination import HeldOut
from components.corpus.near_duplicates import WIDTH
from components.corpus.removals import Removals
from tests.corpus.small_corpus import SOURCES, curate_config, documents

CONFIG = curate_config()
CRITERIA = Criteria(
    CONFIG, SOURCES, 1, HeldOut([("test", "a sentence that stands in the test rows")], CONFIG), Removals()
)


@pytest.fixture
def block() -> Block:
    texts = [row["text"] for row in documents(6)]
    texts += ["tiny", "a sentence that stands in the test rows"]
    return Block("sea_en", 3, [Row("f", line, f"sea_en/{line}", text, "") for line, text in enumerate(texts, 1)])


def test_every_row_is_there_and_only_those_to_keep_have_a_signature(block: Block, tmp_path: Path) -> None:
    path = curate_block(CRITERIA, CRITERIA.digest, tmp_path, block)
    rows = pq.read_table(path).to_pylist()
    assert [row["reason"] for row in rows] == [None] * 6 + ["too_short", "in_task_test"]
    assert read_signatures(path).shape == (6, WIDTH)
    assert path.name.startswith("sea_en-00003-")


def test_a_block_is_judged_once(block: Block, tmp_path: Path) -> None:
    path = curate_block(CRITERIA, CRITERIA.digest, tmp_path, block)
    before = path.stat().st_ino
    assert curate_block(CRITERIA, CRITERIA.digest, tmp_path, block).stat().st_ino == before


@pytest.mark.parametrize(
    "other",
    [
        replace(CRITERIA, seed=2),
        replace(CRITERIA, config=curate_config(min_characters=11)),
        replace(CRITERIA, removals=Removals(frozenset({("corpus", "sea_en/1")}))),
        replace(CRITERIA, held_out=HeldOut([("test", "another sentence of the test rows")], CONFIG)),
        replace(CRITERIA, sources={}),
    ],
)
def test_whatever_a_verdict_depends_on_changes_the_key(other: Criteria) -> None:
    assert other.digest != CRITERIA.digest


def test_a_block_that_cannot_be_read_counts_as_missing(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 cut short")
    assert not whole(tmp_path / "a.parquet")
    assert not whole(tmp_path / "b.parquet")
