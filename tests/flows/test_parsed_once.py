"""flows.parsed_once: DVC parses a content once, and sees every other one."""

from __future__ import annotations

from pathlib import Path

import pytest
from dvc.fs import localfs
from dvc.utils.serialize import LOADERS, ParseError, load_path, load_yaml
from ruamel.yaml import YAML

from flows.parsed_once import parsed_once


def test_a_content_is_parsed_once_and_each_reader_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a: {b: [1, 2]}\n")
    parsed: list[str] = []
    load = YAML.load
    monkeypatch.setattr(YAML, "load", lambda self, text: (parsed.append(text), load(self, text))[1])
    with parsed_once():
        first = load_path(str(path), localfs)
        first["a"]["b"].append(3)
        assert load_path(str(path), localfs) == {"a": {"b": [1, 2]}}
    assert len(parsed) == 1


def test_another_content_of_the_same_size_is_seen_at_once(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    with parsed_once():
        for value in (1, 2):
            path.write_text(f"a: {value}\n")
            assert load_path(str(path), localfs) == {"a": value}


def test_what_is_no_yaml_is_told_as_ever_and_the_table_is_dvcs_own_again(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a: [1\n")
    with parsed_once():
        for _ in range(2):
            with pytest.raises(ParseError, match="unable to read"):
                load_path(str(path), localfs)
    assert LOADERS[".yaml"] is load_yaml
