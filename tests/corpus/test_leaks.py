"""A passage of a held-out text is a leak in a few documents and a phrase in many."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from components.corpus.blocks import Block, Row
from components.corpus.decontamination import HeldOut
from components.corpus.filter_block import candidates, filter_block
from components.corpus.leaks import Leaks, find_leaks
from tests.corpus.small_corpus import documents
from tests.corpus.test_filter_block import CONFIG, CRITERIA

PHRASE = "when all is said and done"
QUOTE = "a harpoon is no toothpick"
CRITERIA = replace(CRITERIA, held_out=HeldOut([("test", PHRASE), ("validation", QUOTE)], CONFIG))


def blocks(folder: Path, phrases: int, quotes: int) -> list[Path]:
    """Two of forty documents, of which each has so many with the phrase and with the quotation."""
    paths = []
    for number in range(2):
        texts = [f"{row['text'][:-1]}, and {row['text']}" for row in documents(40, seed=number)]
        texts[:phrases] = [f"{text} {PHRASE.capitalize()}, it was so." for text in texts[:phrases]]
        texts[20 : 20 + quotes] = [f"{text} As they say: {QUOTE}." for text in texts[20 : 20 + quotes]]
        rows = [Row("f", line, f"sea_en/{line}", text, "") for line, text in enumerate(texts)]
        paths.append(filter_block(CRITERIA, CRITERIA.digest, folder, Block("sea_en", number, rows)))
    return paths


@pytest.mark.parametrize(
    ("most", "leaks"),
    [
        (0, [{}, {}]),
        (3, [{}, {}]),
        (4, [{20: "in_task_validation", 21: "in_task_validation"}] * 2),
        (19, [{20: "in_task_validation", 21: "in_task_validation"}] * 2),
    ],
)
def test_documents_of_all_blocks_are_counted(tmp_path: Path, most: int, leaks: Leaks) -> None:
    assert find_leaks(blocks(tmp_path, 10, 2), CRITERIA.held_out, most) == leaks


def test_rows_that_leak_are_no_candidates(tmp_path: Path) -> None:
    paths = blocks(tmp_path, 10, 2)
    leaks = find_leaks(paths, CRITERIA.held_out, 10)
    found = [set(rows.tolist()) for _, rows in candidates(paths, leaks)]
    assert found == [set(range(40)) - {20, 21}] * 2


def test_no_blocks_leak_nothing() -> None:
    assert find_leaks([], CRITERIA.held_out, 10) == []
