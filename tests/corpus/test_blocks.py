"""The corpus in blocks: of one source each, known by what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.corpus import blocks
from components.corpus.blocks import Block, cut
from components.corpus.files import corpus_files
from tests.corpus.small_corpus import documents, small_data, write


def cut_all(data: Path) -> list[Block]:
    return list(cut(corpus_files(data / "corpus"), data, lambda path: None))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 25)
    return small_data(tmp_path / "data")


def test_a_block_holds_rows_of_one_source_and_every_row_is_in_one(data: Path) -> None:
    found = cut_all(data)
    shape = [(block.source, block.number, len(block.rows)) for block in found]
    assert shape == [("sea_en", 0, 25), ("sea_en", 1, 25), ("sea_en", 2, 10), ("verse_zh", 0, 25), ("verse_zh", 1, 15)]
    assert found[1].rows[0].id == "sea_en/d25"
    assert (found[1].rows[0].file, found[1].rows[0].line) == ("corpus/sea_en.jsonl", 26)


def test_long_texts_make_short_blocks(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_CHARACTERS", 500)
    assert all(sum(len(row.text) for row in block.rows[:-1]) < 500 for block in cut_all(data))


def test_rows_appended_leave_the_full_blocks_before_them_as_they_were(data: Path) -> None:
    before = [block.digest for block in cut_all(data)]
    write(data / "corpus" / "sea_en.jsonl", documents(70))
    after = [block.digest for block in cut_all(data)]
    assert len(set(before) - set(after)) == 1


def test_a_changed_character_changes_the_digest_of_its_block_alone(data: Path) -> None:
    before = cut_all(data)
    path = data / "corpus" / "sea_en.jsonl"
    path.write_text(path.read_text().replace("This is about", "This was about", 1))
    changed = [old.digest != new.digest for old, new in zip(before, cut_all(data), strict=True)]
    assert changed == [True, False, False, False, False]


def test_a_text_with_half_a_surrogate_pair_has_a_digest() -> None:
    assert len(Block("a", 0, [blocks.Row("f", 1, "a/1", "\ud800", "")]).digest) == 64


def test_a_folder_of_pages_is_one_source(data: Path) -> None:
    for number in range(30):
        page = data / "corpus" / "notes_en" / f"{number:02d}.md"
        page.parent.mkdir(exist_ok=True)
        page.write_text(f"# Page {number}\n\nSome words on the page.\n")
    pages = [block for block in cut_all(data) if block.source == "notes_en"]
    assert [len(block.rows) for block in pages] == [25, 5]
    assert len({row.id for block in pages for row in block.rows}) == 30


def test_a_row_tells_its_languages_in_one_way_however_its_file_does(tmp_path: Path) -> None:
    rows = [
        {"text": f"text {n}", "language": given} for n, given in enumerate(["eng_Latn", ["en", "zho"], "und", None])
    ]
    write(tmp_path / "data" / "corpus" / "any.jsonl", rows)
    [block] = cut_all(tmp_path / "data")
    assert [row.language for row in block.rows] == ["en", "en,zh", "", ""]
