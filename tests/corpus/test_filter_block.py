"""One block judged: every row with its verdict, kept under a key that everything it depends on goes into."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from components.corpus.blocks import Block, Row
from components.corpus.decontamination import HeldOut
from components.corpus.filter_block import Criteria, filter_block, read_signatures, whole
from components.corpus.near_duplicates import WIDTH
from components.corpus.removals import Removals
from components.errors import DataError
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
    path = filter_block(CRITERIA, CRITERIA.digest, tmp_path, block)
    rows = pq.read_table(path).to_pylist()
    assert [row["reason"] for row in rows] == [None] * 6 + ["too_short", "in_task_test"]
    assert read_signatures(path, np.arange(6)).shape == (6, WIDTH)
    assert path.name.startswith("sea_en-00003-")


def test_a_block_is_judged_once(block: Block, tmp_path: Path) -> None:
    path = filter_block(CRITERIA, CRITERIA.digest, tmp_path, block)
    before = path.stat().st_ino
    assert filter_block(CRITERIA, CRITERIA.digest, tmp_path, block).stat().st_ino == before


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


def test_a_word_list_that_is_missing_is_named_before_anything_is_judged() -> None:
    with pytest.raises(DataError, match=r"data/gone\.txt: no such file\ncurate\.word_lists"):
        _ = replace(CRITERIA, config=curate_config(word_lists=["data/gone.txt"])).digest


def test_a_block_of_which_a_byte_has_changed_is_judged_anew(block: Block, tmp_path: Path) -> None:
    path = filter_block(CRITERIA, CRITERIA.digest, tmp_path, block)
    content, table = path.read_bytes(), pq.read_table(path)
    for place in range(4, len(content), 97):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        assert not whole(path) or pq.read_table(path).equals(table)
    path.write_bytes(content[:200] + bytes([content[200] ^ 0x10]) + content[201:])
    assert filter_block(CRITERIA, CRITERIA.digest, tmp_path, block).read_bytes() == content


def test_a_source_may_have_a_name_as_long_as_files_may(block: Block, tmp_path: Path) -> None:
    long = replace(block, source="海" * 80)
    path = filter_block(CRITERIA, CRITERIA.digest, tmp_path, long)
    assert pq.read_table(path, columns=["source"]).column("source")[0].as_py() == "海" * 80


def test_a_block_that_cannot_be_read_counts_as_missing(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 cut short")
    assert not whole(tmp_path / "a.parquet")
    assert not whole(tmp_path / "b.parquet")
