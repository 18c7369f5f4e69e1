"""Files of state are replaced at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.replacing import replace_json, replace_text


def test_a_file_has_its_new_content_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "state.json"
    replace_text(path, "one")
    replace_json(path, {"b": 1, "a": 2})
    assert path.read_text() == '{\n  "a": 2,\n  "b": 1\n}\n'
    assert [one.name for one in path.parent.iterdir()] == ["state.json"]


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    replace_text(path, "one")
    with pytest.raises(TypeError):
        replace_json(path, {"a": object()})
    with pytest.raises(UnicodeEncodeError):
        replace_text(path, "half of it \ud800")
    assert path.read_text() == "one"
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]


def test_another_writers_half_file_takes_nobodys_place(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    half = tmp_path / ".state.json.partial"
    half.write_text("half of")
    replace_text(path, "whole")
    assert (path.read_text(), half.read_text()) == ("whole", "half of")
