"""What stands in data/corpus: which source a file belongs to, and which files cannot stand together."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.corpus.config import SourceConfig
from components.corpus.files import corpus_files, notices, short_name, source_licences, strange_sources
from components.corpus.read import read_records
from components.errors import DataError


def laid_out(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"text": "words"}\n')
    return folder


def test_a_file_is_a_source_and_so_is_a_folder(tmp_path: Path) -> None:
    laid_out(tmp_path, "a_en.jsonl", "notes.md", "site/index.html", "site/more/page.html", "rows/x.jsonl", "rows/y.csv")
    found = {path.path.relative_to(tmp_path).as_posix(): path.source for path in corpus_files(tmp_path)}
    assert found == {
        "a_en.jsonl": "a_en",
        "notes.md": "notes",
        "rows/x.jsonl": "rows",
        "rows/y.csv": "rows",
        "site/index.html": "site",
        "site/more/page.html": "site",
    }


def test_documents_of_a_folder_have_ids_of_their_own(tmp_path: Path) -> None:
    laid_out(tmp_path, "a.jsonl", "code/main.py", "code/main.c", "code/sub/main.py", "rows/x.jsonl", "rows/sub/x.jsonl")
    ids = [file.document_id(record) for file in corpus_files(tmp_path) for record in read_records(file.path)]
    assert ids == [
        "a/line-1",
        "code/main.c",
        "code/main.py",
        "code/sub/main.py",
        "rows/sub/x/line-1",
        "rows/x/line-1",
    ]


def test_hidden_files_and_notes_of_imports_are_no_data(tmp_path: Path) -> None:
    laid_out(tmp_path, "a.jsonl", "a.source.json", ".b.jsonl", "code/.git/config", "code/x.py")
    assert [file.path.name for file in corpus_files(tmp_path)] == ["a.jsonl", "x.py"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("a.jsonl", "a.csv"), ("a.csv", "a.jsonl")),
        (("a.jsonl", "a/b.md"), ("a", "a.jsonl")),
        (("a/b.jsonl", "a/b.jsonl.gz"), ("a/b.jsonl", "a/b.jsonl.gz")),
        (("a/b.md", "a/b.md.zst"), ("a/b.md", "a/b.md.zst")),
    ],
)
def test_two_that_claim_to_be_the_same_are_refused(
    tmp_path: Path, names: tuple[str, ...], told: tuple[str, str]
) -> None:
    laid_out(tmp_path, *names)
    with pytest.raises(DataError) as refusal:
        corpus_files(tmp_path)
    first, second = (tmp_path / name for name in told)
    assert f"{first} and {second}: same name, different format" in str(refusal.value)


def test_a_file_of_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Makefile: unknown format"):
        corpus_files(laid_out(tmp_path, "code/Makefile"))


def test_an_empty_folder_says_how_to_get_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no corpus here\n.*dvc pull data"):
        corpus_files(tmp_path)


def test_a_source_of_params_yaml_that_no_file_has_is_told() -> None:
    [misspelt, strange] = strange_sources(["moby_dik_en", "sea", "xyz"], ["moby_dick_en", "sea"])
    assert misspelt.endswith("corpus.moby_dik_en: data/corpus has no source of that name; did you mean 'moby_dick_en'?")
    assert strange.endswith("corpus.xyz: data/corpus has no source of that name; the entry changes nothing")


def test_a_long_name_of_a_source_is_cut_where_files_are_named_after_it() -> None:
    assert short_name("sea_en") == "sea_en"
    names = {short_name("海" * count) for count in range(43, 86)}
    assert len(names) == 43
    assert all(name.startswith("海" * 39 + "_") and len(name.encode()) <= 128 for name in names)


def test_every_source_has_its_licence_or_is_said_to_have_none_stated() -> None:
    sources = {name: SourceConfig(weight=1.0, language="en", licence="MIT") for name in ("poems", "unused")}
    assert source_licences(["poems", "notes"], sources) == {"notes": "unknown", "poems": "MIT"}


def test_what_the_project_says_of_its_data_goes_along(tmp_path: Path) -> None:
    assert notices(tmp_path) == []
    (tmp_path / "SOURCES.md").write_text("唐詩: MIT", encoding="utf-8")
    assert notices(tmp_path) == ["唐詩: MIT"]
