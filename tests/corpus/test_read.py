"""Every format and compression reads alike; every kind of damage ends in one DataError that says where."""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from components.corpus.read import MAX_LINE_BYTES, Record, read_records, split_name
from components.errors import DataError

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


WRITERS = {"jsonl": jsonl, "csv": separated(","), "tsv": separated("\t"), "parquet": parquet}
COMPRESSORS = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        list(read_records(path))
    return str(caught.value)


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


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


def test_csv_with_byte_order_mark_and_windows_line_ends_just_works(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", '\ufefftext,label\r\n"first\r\nstill first",x\r\nsecond,y\r\n'.encode())
    records = list(read_records(path))
    assert [record.fields for record in records] == [
        {"text": "first\r\nstill first", "label": "x"},
        {"text": "second", "label": "y"},
    ]
    assert [record.line for record in records] == [2, 4]


def test_blank_lines_of_json_lines_are_skipped_but_counted(tmp_path: Path) -> None:
    [record] = read_records(written(tmp_path, "a.jsonl", b'\n\n{"text": "x"}\n'))
    assert record.line == 3


def test_compressed_file_of_several_frames_is_read_to_its_end(tmp_path: Path) -> None:
    line = b'{"text": "x"}\n'
    for name, compress in (("a.jsonl.gz", gzip.compress), ("b.jsonl.zst", COMPRESSORS[".zst"])):
        assert len(list(read_records(written(tmp_path, name, compress(line) + compress(line))))) == 2


def test_malformed_json_line_is_named_with_its_column(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", b'{"text": "x"}\n{"text": }\n')
    assert f"{path}:2: not JSON: Expecting value at column 10" in refusal(path)


def test_json_line_that_is_no_object_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", b'["text"]\n')
    assert f"{path}:1: a list, not an object" in refusal(path)


def test_deeply_nested_json_is_refused_without_a_crash(tmp_path: Path) -> None:
    assert ":1: not JSON" in refusal(written(tmp_path, "a.jsonl", b"[" * 100_000))


def test_row_without_text_is_named_with_the_columns_it_has(tmp_path: Path) -> None:
    [record] = read_records(written(tmp_path, "a.csv", b"body,label\nhello,x\n"))
    with pytest.raises(DataError, match=r"a\.csv:2: no 'text'\n.*found here: 'body', 'label'"):
        record.text()


@pytest.mark.parametrize(
    ("fields", "name"), [({"id": "a"}, "a"), ({"id": 0}, "0"), ({"id": ""}, "line-7"), ({}, "line-7")]
)
def test_row_is_called_by_its_id_or_else_by_its_line(fields: dict[str, object], name: str) -> None:
    assert Record(Path("a.csv"), 7, fields).name == name


def test_text_that_is_a_number_is_refused_and_a_null_is_empty(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="7: 'text' is a number, not text"):
        Record(tmp_path, 7, {"text": 3}).text()
    assert Record(tmp_path, 7, {"text": None}).text() == ""


def test_invalid_utf8_is_named_with_line_and_byte(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", b"fine\nnot \xff fine\n")
    assert f"{path}:2: not UTF-8: byte 0xff at column 5" in refusal(path)


def test_nul_byte_is_named_with_line_and_column(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", b"text\nab\0cd\n")
    assert f"{path}:2: a NUL byte at column 3" in refusal(path)


def test_line_over_the_limit_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", b'{"text": "x"}\n{"text": "' + b"x" * MAX_LINE_BYTES + b'"}\n')
    assert f"{path}:2: a line over 16 MB" in refusal(path)


def test_text_block_over_the_limit_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", (b"x" * 1_000_000 + b"\n") * 17)
    assert f"{path}:1: a document over 16 MB" in refusal(path)


@pytest.mark.parametrize("compression", [".gz", ".zst"])
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


def test_csv_with_a_header_alone_is_refused(tmp_path: Path) -> None:
    assert "holds no rows" in refusal(written(tmp_path, "a.csv", b"text,label\n"))


def test_csv_row_with_too_many_fields_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", b"text,label\nfine,x\nred, green,x\n")
    assert f"{path}:3: 3 fields under 2 column names" in refusal(path)


def test_csv_with_an_open_quotation_mark_is_named_by_the_line_it_opens_on(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", b'text,label\nfine,x\n"never closed,x\nmore,y\n')
    assert f"{path}:3: not well-formed" in refusal(path)


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
    assert f"{path}: cannot be read: No such file" in refusal(path)


def test_unknown_format_is_refused_and_the_known_ones_listed() -> None:
    with pytest.raises(DataError, match=r"notes\.docx: not a format known here\nknown: \*\.jsonl \*\.csv"):
        split_name(Path("notes.docx"))
    assert split_name(Path("data/a_en.jsonl.gz")) == ("a_en", ".jsonl", ".gz")
