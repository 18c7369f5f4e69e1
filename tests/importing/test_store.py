"""Documents are written whole or not at all, and the same ones give the same bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from components.corpus.files import corpus_files
from components.corpus.read import read_records
from components.errors import DataError, ParameterError
from components.importing.store import check_name, write_about, write_documents

DOCUMENTS = [{"id": str(number), "text": f"text {number} 貓"} for number in range(300)]


def test_same_documents_give_the_same_bytes_and_are_read_back(tmp_path: Path) -> None:
    path = write_documents(tmp_path, "cats", DOCUMENTS)
    before = path.read_bytes()
    assert [record.fields for record in read_records(path)] == DOCUMENTS
    assert write_documents(tmp_path, "cats", iter(DOCUMENTS)).read_bytes() == before


def test_dates_in_lists_are_written_as_iso_8601_and_bytes_are_refused(tmp_path: Path) -> None:
    [record] = read_records(write_documents(tmp_path, "notes", [{"text": "a", "days": [date(2024, 2, 29)]}]))
    assert record.fields["days"] == ["2024-02-29"]
    with pytest.raises(DataError, match="a value of type bytes stands in a list or mapping\nleave its column out"):
        write_documents(tmp_path, "files", [{"text": "a", "parts": [b"1"]}])


def test_a_lone_surrogate_does_not_stop_an_import(tmp_path: Path) -> None:
    [record] = read_records(write_documents(tmp_path, "odd", [{"text": "a\ud800b"}]))
    assert record.text() == "a\ud800b"


def broken(error: BaseException) -> Iterator[dict[str, Any]]:
    yield from DOCUMENTS
    raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), DataError("row 301 is damaged"), RuntimeError("a bug")])
def test_nothing_half_written_remains(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        write_documents(tmp_path, "cats", broken(error))
    assert not list(tmp_path.iterdir())


def test_a_failed_import_leaves_the_earlier_one_as_it_was(tmp_path: Path) -> None:
    before = write_documents(tmp_path, "cats", DOCUMENTS[:5]).read_bytes()
    with pytest.raises(KeyboardInterrupt):
        write_documents(tmp_path, "cats", broken(KeyboardInterrupt()))
    [path] = tmp_path.iterdir()
    assert path.read_bytes() == before


def test_no_documents_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cats: no document to import"):
        write_documents(tmp_path, "cats", [])
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)  # root may write everywhere
    try:
        with pytest.raises(DataError, match=r"cats\.jsonl\.zst: cannot be written: Permission denied"):
            write_documents(tmp_path, "cats", DOCUMENTS)
    finally:
        os.seteuid(before)


def test_what_is_known_of_a_source_stands_beside_it_and_is_no_data(tmp_path: Path) -> None:
    path = write_documents(tmp_path, "cats", DOCUMENTS)
    write_about(path, {"source": "https://example.org/cats.csv"})
    about = json.loads((tmp_path / "cats.source.json").read_text())
    assert about["source"] == "https://example.org/cats.csv"
    assert len(about["sha256"]) == 64
    assert [file.path for file in corpus_files(tmp_path)] == [path]


def test_an_import_over_links_to_dvcs_cache_leaves_the_cache_as_it_is(tmp_path: Path) -> None:
    for name, link in (("cats.jsonl.zst", Path.symlink_to), ("cats.source.json", Path.hardlink_to)):
        (tmp_path / f"cached {name}").write_text("of an earlier version")
        link(tmp_path / name, tmp_path / f"cached {name}")
    write_about(write_documents(tmp_path, "cats", DOCUMENTS), {"source": "here"})
    assert {path.read_text() for path in tmp_path.glob("cached*")} == {"of an earlier version"}
    assert not (tmp_path / "cats.jsonl.zst").is_symlink()


@pytest.mark.parametrize(
    ("there", "name", "replace", "told"),
    [
        ("cats.jsonl.zst", "cats", False, "exists already\n--replace"),
        ("cats.csv", "cats", True, "the name 'cats' is taken"),
        ("cats/a.md", "cats", True, "the name 'cats' is taken"),
        ("x.csv", "a.b", False, "not a name for a source"),
        ("x.csv", "../a", False, "not a name for a source"),
    ],
)
def test_a_name_that_is_taken_or_none_is_refused(
    tmp_path: Path, there: str, name: str, replace: bool, told: str
) -> None:
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).touch()
    with pytest.raises(ParameterError) as refusal:
        check_name(tmp_path, name, replace)
    assert told in str(refusal.value)


def test_a_name_that_only_begins_alike_is_free(tmp_path: Path) -> None:
    (tmp_path / "cats_en.csv").touch()
    (tmp_path / "cats.jsonl.zst").touch()
    check_name(tmp_path, "cats", replace=True)
    check_name(tmp_path, "cat", replace=False)


def test_a_name_that_is_too_long_for_a_file_is_refused_with_the_limit(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"海…: too long for the name of a source\na shorter one: 128 bytes"):
        check_name(tmp_path, "海" * 80, replace=False)
