"""Files near and far become records; what cannot be fetched or read is told in a line."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.corpus.read import read_records
from components.corpus.record import Record
from components.errors import DataError
from components.importing.documents import Documents
from components.importing.files import open_files
from components.importing.store import write_documents


def refusal(address: str) -> str:
    with pytest.raises(DataError) as caught:
        list(open_files(address).records)
    return str(caught.value)


def folder_of(place: Path) -> Path:
    (place / "sub" / ".git").mkdir(parents=True)
    (place / "a.md").write_text("# 貓\n\nOne.\n")
    (place / "poem.txt").write_text("first verse\n\nsecond verse\n")
    (place / "poem2.txt.gz").write_bytes(gzip.compress(b"third\n\nfourth\n"))
    (place / "empty.md").touch()
    (place / "sub" / "main.py").write_text("x = 1\n")
    (place / "sub" / "rows.csv").write_text("id,text\n1,hello\n")
    (place / "sub" / "program.c").write_bytes(b"\x7fELF\0")
    (place / "sub" / ".git" / "config.md").write_text("hidden")
    (place / "photo.png").write_bytes(b"\x89PNG")
    return place


def names(records: list[Record]) -> list[tuple[str, str]]:
    return [(record.name, record.text()) for record in records]


def test_a_folder_is_a_document_a_file_and_passes_over_what_is_no_text(tmp_path: Path) -> None:
    source = open_files(str(folder_of(tmp_path / "notes")))
    assert names(list(source.records)) == [
        ("a.md", "# 貓\n\nOne.\n"),
        ("empty.md", ""),
        ("poem.txt", "first verse\n\nsecond verse\n"),
        ("poem2.txt.gz", "third\n\nfourth\n"),
        ("sub/main.py", "x = 1\n"),
        ("sub/rows.csv/1", "hello"),
    ]
    assert source.name == "notes"
    assert source.passed_over == {"unknown format": ["photo.png"], "not text": ["sub/program.c"]}


def test_a_pattern_takes_the_files_it_fits(tmp_path: Path) -> None:
    source = open_files(f"{folder_of(tmp_path / 'notes')}/**/*.py")
    assert [record.name for record in source.records] == ["sub/main.py"]


def test_a_file_address_and_a_folder_in_memory_are_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n')
    assert names(list(open_files(path.as_uri()).records)) == [("line-1", "one")]
    with fsspec.open("memory://texts/sub/b.jsonl", "wb") as stream:
        stream.write(b'{"text": "two"}\n')
    assert names(list(open_files("memory://texts").records)) == [("sub/b.jsonl/line-1", "two")]


def test_rows_come_from_a_web_server(web: str) -> None:
    source = open_files(f"{web}/rows.jsonl.gz?token=secret")
    assert names(list(source.records)) == [("7", "one 貓"), ("8", "two")]
    assert (source.name, source.address) == ("rows", f"{web}/rows.jsonl.gz")


@pytest.mark.parametrize(("name", "count"), [("plain.jsonl", 600_000), ("rows.parquet", 2)])
def test_a_server_that_gives_no_parts_of_a_file_is_read_all_the_same(web: str, name: str, count: int) -> None:
    assert sum(record.text() in ("one", "two") for record in open_files(f"{web}/{name}").records) == count


@pytest.mark.parametrize("name", ["sent.jsonl.gz", "twice.jsonl.gz", "sent.jsonl"])
def test_a_file_that_a_server_packs_is_read_however_often_it_does(web: str, name: str) -> None:
    source = open_files(f"{web}/{name}")
    assert names(list(source.records)) == [("line-1", "one")]
    assert source.name == "sent" or source.name == "twice"


def test_settings_in_a_folder_are_passed_over_and_rows_in_json_are_read(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"name": "x", "license": "MIT"}')
    (tmp_path / "points.json").write_text("[[1, 2]]")
    (tmp_path / "rows.json").write_text('[{"text": "one"}, {"text": "two"}]')
    source = open_files(str(tmp_path), ("text", "id"))
    assert names(list(source.records)) == [("rows.json/line-1", "one"), ("rows.json/line-2", "two")]
    assert source.passed_over == {"no rows of text": ["package.json", "points.json"]}


def test_a_file_whose_name_is_not_utf8_is_read_and_named_in_utf8(tmp_path: Path) -> None:
    Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.md")).write_text("words")
    source = open_files(str(tmp_path))
    [document] = Documents(source)
    assert document["id"] == r"caf\udce9.md"
    write_documents(tmp_path, "notes", [document])
    [record] = read_records(tmp_path / "notes.jsonl.zst")
    assert (record.name, record.text()) == (r"caf\udce9.md", "words")


def test_only_the_columns_of_parquet_that_are_used_are_read(tmp_path: Path) -> None:
    far = pa.array([253402300800 + 86400], pa.timestamp("s", tz="GMT+8"))
    pq.write_table(pa.table({"text": ["one"], "when": far}), tmp_path / "a.parquet")
    [record] = open_files(str(tmp_path / "a.parquet"), ("text",)).records
    assert (record.fields, record.unread) == ({"text": "one"}, ("when",))


def test_an_address_without_an_ending_is_a_web_page(web: str) -> None:
    [record] = open_files(f"{web}/article").records
    assert record.fields["title"] == "Kettles"
    assert record.text().startswith("The kettle had been")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/gone.jsonl", "gone.jsonl: not found (404)"),
        ("/secret.jsonl", "secret.jsonl: the server answers 403 Forbidden\nis a login needed?"),
        ("/broken.jsonl", "broken.jsonl: the server answers 500"),
        ("/empty.jsonl", "empty.jsonl: holds no rows"),
        ("/short.jsonl", "short.jsonl: cannot be fetched: "),
    ],
)
def test_what_a_server_does_not_give_is_told(web: str, path: str, told: str) -> None:
    assert told in refusal(web + path)


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    told = refusal("http://ada:secret@127.0.0.1:9/a.jsonl")
    assert told.startswith("http://127.0.0.1:9/a.jsonl: cannot be fetched: ")
    assert "secret" not in told


def test_a_protocol_without_its_package_says_which_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    assert "s3://bucket/a.jsonl: s3:// needs a package" in (told := refusal("s3://bucket/a.jsonl"))
    assert "pip install s3fs" in told


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.png", b"\x89PNG", "unknown format"),
        ("a.txt", b"\x7fELF\0", "a.txt:1: a NUL byte"),
        ("a.jsonl", b"{", "a.jsonl:1: not JSON"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert told in refusal(str(tmp_path / name))


def test_what_else_is_wrong_with_an_address_is_told(tmp_path: Path) -> None:
    assert "nope://x: Protocol not known" in refusal("nope://x")
    assert "no files here" in refusal(str(tmp_path))
    assert "not found" in refusal("memory://nowhere/a.jsonl")


def test_links_and_pipes_in_a_folder_are_passed_over_and_named(tmp_path: Path) -> None:
    place = tmp_path / "notes"
    (place / "sub").mkdir(parents=True)
    (tmp_path / "elsewhere.md").write_text("another")
    (place / "a.md").write_text("words")
    (place / "b.md").symlink_to(tmp_path / "elsewhere.md")
    (place / "gone.md").symlink_to("nowhere.md")
    (place / "circle.md").symlink_to("circle.md")
    (place / "sub" / "up.md").symlink_to(place)
    os.mkfifo(place / "pipe.md")
    source = open_files(str(place))
    assert [record.fields["text"] for record in source.records] == ["words", "another"]
    assert source.passed_over == {
        "link to nothing": ["circle.md", "gone.md"],
        "pipe, socket or device": ["pipe.md"],
        "link to a folder": ["sub/up.md"],
    }
