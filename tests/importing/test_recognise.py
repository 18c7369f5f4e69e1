"""The kind of a source is told from its argument alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import Dataset

from components.errors import DataError, ParameterError
from components.importing.recognise import open_source


def kind(argument: str, query: str | None = None, split: str | None = None) -> str:
    return open_source(argument, query, split, None).kind


def test_files_folders_data_sets_and_databases_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "train.jsonl").write_text('{"text": "one"}\n')
    (tmp_path / "a.db").touch()
    Dataset.from_dict({"text": ["one"]}).save_to_disk(str(tmp_path / "saved"))
    assert kind(str(tmp_path / "texts" / "train.jsonl")) == "file"
    assert kind((tmp_path / "texts" / "train.jsonl").as_uri()) == "file"
    assert kind(str(tmp_path / "texts")) == "files"
    assert kind(f"{tmp_path}/texts/*.jsonl") == "files"
    assert kind(str(tmp_path / "texts"), split="train") == "dataset"
    assert kind(str(tmp_path / "saved")) == "dataset"
    assert kind(f"sqlite:///{tmp_path}/a.db", query="SELECT 1") == "query"


@pytest.mark.parametrize("argument", ["gone.jsonl", "./gone", "/gone/for/good", "~/gone", "a/b/c"])
def test_a_path_to_nothing_is_not_taken_for_a_data_set(argument: str) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        open_source(argument, None, None, None)


@pytest.mark.parametrize(
    ("argument", "options", "told"),
    [
        ("sqlite:///a.db", {}, "a database needs a query"),
        ("sqlite:///a.db", {"query": "SELECT 1", "split": "train"}, "--split does not fit"),
        ("https://example.org/a.csv", {"query": "SELECT 1"}, "--query does not fit"),
        ("https://example.org/a.csv", {"config": "en"}, "--config does not fit"),
    ],
)
def test_options_that_do_not_fit_are_refused(argument: str, options: dict[str, str], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        open_source(argument, options.get("query"), options.get("split"), options.get("config"))
