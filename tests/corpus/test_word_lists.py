"""Texts with many listed words are known; words within words are none, but in Chinese."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.corpus.word_lists import is_listed, read_word_lists
from components.errors import DataError


@pytest.fixture
def words(tmp_path: Path) -> str:
    path = tmp_path / "words.txt"
    path.write_text("# a comment\nGrape  # the fruit\ngrape juice\n\n葡萄\n", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("Grape and GRAPE and grape juice", True),
        ("grape and grape", False),
        ("grapefruit and grapes and ungrape and grapes", False),
        ("吃葡萄不吐葡萄皮，葡萄甜", True),
        ("grape " * 3 + "and something else " * 200, False),
    ],
)
def test_more_than_the_count_and_the_share_is_too_much(words: str, text: str, listed: bool) -> None:
    assert is_listed(text, read_word_lists((words,)), most=2, share=0.02) is listed


def test_without_lists_nothing_is_listed() -> None:
    assert read_word_lists(()) is None
    assert not is_listed("grape " * 9, None, most=0, share=0.0)


def test_list_that_is_missing_empty_or_undecodable_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.txt: no such file\ncurate\.word_lists"):
        read_word_lists((str(tmp_path / "gone.txt"),))
    (tmp_path / "empty.txt").write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"empty\.txt: no words"):
        read_word_lists((str(tmp_path / "empty.txt"),))
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"folder: cannot be read: Is a directory\ncurate\.word_lists"):
        read_word_lists((str(tmp_path / "folder"),))
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"latin\.txt:1: not UTF-8: byte 0xe9 at column 4\nit looks like CP1252"):
        read_word_lists((str(tmp_path / "latin.txt"),))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_a_word(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "words.txt"
    path.write_text("grape\n葡萄\n", encoding=encoding)
    assert is_listed("a grape", read_word_lists((str(path),)), most=0, share=0.0)
