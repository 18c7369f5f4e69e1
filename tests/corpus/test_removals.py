"""The list of removed rows: read whole, added to once, damaged lines named."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.corpus.removals import Removals, add_removals, read_removals
from components.errors import DataError

MARK = bytes(range(16))


def test_a_list_that_is_not_there_removes_nothing(tmp_path: Path) -> None:
    assert read_removals(tmp_path / "removals.txt") == Removals()


def test_what_was_added_is_known_by_id_and_by_text(tmp_path: Path) -> None:
    path = tmp_path / "removals.txt"
    add_removals(path, {"sea/1": MARK})
    removals = read_removals(path)
    assert removals.has("sea/1", b"another text....")
    assert removals.has("another/id", MARK)
    assert not removals.has("another/id", b"another text....")


def test_adding_twice_keeps_one_line_and_the_remarks(tmp_path: Path) -> None:
    path = tmp_path / "removals.txt"
    path.write_text("# asked for in May\nsea/1\n")
    add_removals(path, {"sea/1": MARK, "sea/2": MARK})
    add_removals(path, {"sea/2": MARK})
    assert path.read_text() == f"# asked for in May\nsea/1\nsea/2\t{MARK.hex()}\n"


@pytest.mark.parametrize("line", ["sea/1\tnot hexadecimal", "\t" + "0" * 32, "sea/1\tabc"])
def test_a_line_that_is_no_removal_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "removals.txt"
    path.write_text(f"# remark\n{line}\n")
    with pytest.raises(DataError, match=r"removals\.txt:2: not `ID<tab>FINGERPRINT`"):
        read_removals(path)
