"""Every format and compression reads alike; every kind of damage ends in one DataError that says where."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from components.corpus.read import read_records, split_name
from components.errors import DataError
from tests.corpus.small_files import refusal, written

TEXTS = ["one cat", 'two dogs, a "bird"', "三隻貓\n在第二行"]
ROWS = [{"id": str(number), "text": text} for number, text in enumerate(TEXTS)]


def jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")


def separated(delimiter: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, ["id", "text"], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(ROWS)

    return write


def parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), path)


def json_array(path: Path) -> None:
    path.write_text(json.dumps(ROWS), encoding="utf-8")


WRITERS = {
    "jsonl": jsonl,
    "ndjson": jsonl,
    "json": json_array,
    "csv": separated(","),
    "tsv": separated("\t"),
    "parquet": parquet,
}
COMPRESSORS = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor().compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


@pytest.mark.parametrize("compression", COMPRESSORS)
@pytest.mark.parametrize("extension", WRITERS)
def test_every_format_and_compression_gives_the_same_rows(tmp_path: Path, extension: str, compression: str) -> None:
    plain = tmp_path / f"plain.{extension}"
    WRITERS[extension](plain)
    path = written(tmp_path, f"pets.{extension}{compression}", COMPRESSORS[compression](plain.read_bytes()))
    assert [record.fields for record in read_records(path)] == ROWS


@pytest.mark.parametrize("compression", COMPRESSORS)
def test_text_file_has_a_document_for_each_block_of_lines(tmp_path: Path, compression: str) -> None:
    content = COMPRESSORS[compression](b"\n\none\ntwo\n \n\nthree")
    records = list(read_records(written(tmp_path, f"a.txt{compression}", content)))
    assert [(record.line, record.text()) for record in records] == [(3, "one\ntwo\n"), (7, "three")]


def test_compressed_file_of_several_frames_is_read_to_its_end(tmp_path: Path) -> None:
    line = b'{"text": "x"}\n'
    for name, compress in (("a.jsonl.gz", gzip.compress), ("b.jsonl.zst", COMPRESSORS[".zst"])):
        assert len(list(read_records(written(tmp_path, name, compress(line) + compress(line))))) == 2


@pytest.mark.parametrize("compression", [".gz", ".zst", ".bz2", ".xz"])
def test_compressed_file_cut_short_is_refused(tmp_path: Path, compression: str) -> None:
    rows = b"".join(b'{"text": "%d"}\n' % number**9 for number in range(5000))
    whole = COMPRESSORS[compression](rows)
    path = written(tmp_path, f"a.jsonl{compression}", whole[: len(whole) * 2 // 3])
    assert f"{path}: damaged" in refusal(path)


def test_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "a.jsonl.zst", "a.parquet"):
        path = written(tmp_path, name, b"plain text\n")
        assert f"{path}: damaged" in refusal(path)


def test_parquet_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    assert f"{path}: damaged" in refusal(path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.txt", "a.jsonl.gz", "a.csv.zst"])
def test_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name, COMPRESSORS[Path(name).suffix](b"") if name.count(".") > 1 else b"")
    assert f"{path}: holds no rows" in refusal(path)


def test_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", b'{"text": "x"}\n')
    path.chmod(0)
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)  # root may read everything
    try:
        assert f"{path}: cannot be read: Permission denied" in refusal(path)
    finally:
        os.seteuid(before)


def test_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.symlink_to(tmp_path / "gone.jsonl")
    assert f"{path}: cannot be read: No such file or directory\ncheck its path" in refusal(path)


def test_unknown_format_is_refused_and_the_known_ones_listed() -> None:
    with pytest.raises(DataError, match=r"notes\.docx: unknown format\nknown: \*\.jsonl \*\.ndjson \*\.json "):
        split_name(Path("notes.docx"))
    assert split_name(Path("data/a_en.jsonl.gz")) == ("a_en", ".jsonl", ".gz")
