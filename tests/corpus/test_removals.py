"""The list of removed rows: whatever an id holds stays on its line, and what cannot be read is named."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from components.corpus.removals import PLACES, Removal, Removals, add_removals, read_removals, spelling
from components.errors import DataError

MARK, OTHER = bytes(range(16)), bytes(16)
STRANGE = [
    "#notes/1",
    "a/b\tc",
    "a/b\nc/d",
    "a/b\u2028c/d",
    "a/b\rc/d",
    " a/ b ",
    '{"a/b"}',
    "a/\x00",
    "\ufeffa/b",
    "貓/1",
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "removals.txt"


def test_a_list_that_is_not_there_removes_nothing(path: Path) -> None:
    assert read_removals(path) == Removals()


def test_what_was_added_is_known_by_id_and_by_text(path: Path) -> None:
    add_removals(path, [Removal("corpus", "sea/1", MARK)])
    removals = read_removals(path)
    assert removals.has("corpus", "sea/1", OTHER, "text")
    assert removals.has("tasks", "another/id", MARK, "text")
    assert not removals.has("corpus", "another/id", OTHER, "text")
    assert not removals.has("tasks", "sea/1", OTHER, "text")


@pytest.mark.parametrize("row_id", STRANGE)
def test_an_id_of_any_characters_is_read_as_it_was_written_and_takes_nothing_else(row_id: str, path: Path) -> None:
    assert add_removals(path, [Removal("corpus", row_id, MARK)]) == 1
    assert read_removals(path).ids == {("corpus", row_id)}
    assert add_removals(path, [Removal("corpus", row_id, MARK)]) == 0
    add_removals(path, [Removal("corpus", "next/1", None)])
    assert read_removals(path).ids == {("corpus", row_id), ("corpus", "next/1")}


def test_a_row_without_an_id_of_its_own_is_known_by_its_text_alone(path: Path) -> None:
    add_removals(path, [Removal("corpus", None, MARK, "sea/line-7")])
    removals = read_removals(path)
    assert not removals.has("corpus", "sea/line-7", OTHER, "the row that stands there now")
    assert removals.has("corpus", "sea/line-8", MARK, "the row")
    assert '"line": "sea/line-7"' in path.read_text()


def test_adding_twice_keeps_one_line_the_remarks_and_earlier_lines(path: Path) -> None:
    path.write_text("# asked for in May\nsea/1")
    path.chmod(0o640)
    two = [Removal("tasks", "sea/2", MARK), Removal("tasks", "sea/2", MARK)]
    assert add_removals(path, two) == 1
    assert add_removals(path, two) == 0
    lines = path.read_text().splitlines()
    assert lines[:2] == ["# asked for in May", "sea/1"]
    assert lines[2:] == [f'{{"id": "sea/2", "in": "tasks", "text": "{MARK.hex()}"}}']
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(path.parent.iterdir()) == [path]


def test_a_row_known_by_its_id_alone_gets_its_text_as_well(path: Path) -> None:
    path.write_text("sea/1\n")
    assert add_removals(path, [Removal("corpus", "sea/1", MARK)]) == 1
    assert read_removals(path).has("corpus", "sea/9", MARK, "")


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfsea/1\n",
        b"  sea/1  \r\n\r\n \t\n",
        b"# remark\n  # another\nsea/1\t" + spelling("x").hex().encode(),
        "# by \u2028 hand\nsea/1\t\n".encode(),
        b'\xef\xbb\xbf{"id": "sea/1"}\r\n',
    ],
)
def test_byte_order_marks_spaces_and_windows_line_ends_do_no_harm(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    assert read_removals(path).ids == {(place, "sea/1") for place in PLACES}


def test_an_earlier_list_knows_a_text_in_any_state_it_may_have_been_in(path: Path) -> None:
    path.write_text(f"sea/1\t{spelling('mail to a@b.example').hex()}\nsea/\u2028x\ty\t{spelling('z').hex()}\n")
    removals = read_removals(path)
    assert removals.has("tasks", "colour/train/1", OTHER, "mail to <EMAIL>", " mail to a@b.example\r\n")
    assert not removals.has("tasks", "colour/train/1", OTHER, "mail to <EMAIL>")
    assert ("corpus", "sea/\u2028x\ty") in removals.ids


@pytest.mark.parametrize(
    "line",
    [
        "sea/1\tnot hexadecimal",
        "\t" + "0" * 32,
        "sea/1\tabc",
        "sea/1 " + "0" * 32,
        "the end of an id\t" + "0" * 32,
        "{",
        "{}",
        '{"line": "sea/1"}',
        '{"id": 7}',
        '{"id": "sea"}',
        '{"id": "sea/1", "in": "cellar"}',
        '{"id": "sea/1", "text": "abc"}',
        '{"id": "sea/1", "by": "me"}',
    ],
)
def test_a_line_that_is_no_removal_is_named(line: str, path: Path) -> None:
    path.write_text(f"# remark\n{line}\n")
    with pytest.raises(DataError, match=r"removals\.txt:2: no removal: .*\nexpected what `lianzi forget` writes"):
        read_removals(path)


@pytest.mark.parametrize("content", ["sea/1\nsea/ß\n".encode("latin-1"), "sea/1\n春風/1".encode("gb18030")])
def test_a_list_that_is_not_utf8_is_named_and_left_as_it_is(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"removals\.txt:2: not UTF-8: byte 0x.. at column \d\nsave the list as UTF-8"):
        add_removals(path, [Removal("corpus", "sea/1", MARK)])
    assert path.read_bytes() == content


def test_a_list_that_cannot_be_read_is_not_an_empty_one(path: Path) -> None:
    path.symlink_to("elsewhere.txt")
    with pytest.raises(DataError, match="a link to a missing file"):
        read_removals(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_removals(path)


def test_a_linked_list_stays_a_link(path: Path, tmp_path: Path) -> None:
    (tmp_path / "shared.txt").write_text("sea/1\n")
    path.symlink_to("shared.txt")
    add_removals(path, [Removal("corpus", "sea/2", MARK)])
    assert path.is_symlink()
    assert "sea/2" in (tmp_path / "shared.txt").read_text()


def test_writers_at_the_same_time_lose_nothing(path: Path) -> None:
    rows = [Removal("corpus", f"sea/{number}", MARK) for number in range(24)]
    writers = [threading.Thread(target=add_removals, args=(path, [row])) for row in rows]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert {name for _, name in read_removals(path).ids} == {row.id for row in rows}


def test_a_full_disk_leaves_the_list_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text("sea/1\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("components.corpus.removals.os.fsync", full)
    with pytest.raises(DataError, match="cannot be written: No space left on device\nnothing was forgotten"):
        add_removals(path, [Removal("corpus", "sea/2", MARK)])
    assert path.read_text() == "sea/1\n"
    assert list(path.parent.iterdir()) == [path]
