"""What is measured on each row, in whichever process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.corpus.documents import write_shard
from components.corpus.language import script_language
from components.errors import ArtifactError
from components.validation import measure
from components.validation.measure import (
    CORPUS_COLUMNS,
    PART_ROWS,
    SCRIPT_SAMPLE,
    MeasuredPart,
    Part,
    measure_shard,
    measure_split,
    script_languages,
)


def shard(folder: Path, rows: list[dict[str, Any]], number: int = 0) -> list[dict[str, Any]]:
    write_shard(folder / "shard.parquet", rows)
    found = measure_shard(Part(folder / "shard.parquet", folder / "measured.parquet", number, "train"))
    assert found == MeasuredPart(folder / "measured.parquet", CORPUS_COLUMNS)
    measured: list[dict[str, Any]] = pq.read_table(found.target).to_pylist()
    return measured


def split(folder: Path, lines: str) -> tuple[MeasuredPart, list[dict[str, Any]]]:
    (folder / "train.jsonl").write_text(lines, encoding="utf-8")
    found = measure_split(Part(folder / "train.jsonl", folder / "measured.parquet", 0, "train", "en"))
    return found, pq.read_table(found.target).to_pylist()


def test_a_document_is_measured_and_keeps_its_columns(tmp_path: Path) -> None:
    [row] = shard(tmp_path, [{"id": "a/1", "text": "Some text.", "source": "a", "language": "en"}])
    assert row["characters"] == 10
    assert row["script_fits"] is True
    assert row["personal_data"] is None
    assert (row["id"], row["source"], row["split"], row["licence"]) == ("a/1", "a", "train", None)


def test_fingerprints_are_equal_for_equal_texts_alone(tmp_path: Path) -> None:
    rows = shard(tmp_path, [{"text": text} for text in ("白日依山盡", "白日依山盡", "白日依山盡。")])
    assert rows[0]["fingerprint"] == rows[1]["fingerprint"] != rows[2]["fingerprint"]


def test_lengths_count_characters_and_long_texts_are_cut_to_an_excerpt(tmp_path: Path) -> None:
    rows = shard(tmp_path, [{"text": "山" * 1000 + "a@lianzi.org"}])
    assert (rows[0]["characters"], rows[0]["text"], rows[0]["personal_data"]) == (1012, "山" * 80, "email")


@pytest.mark.parametrize("answer", [{"target": "a@lianzi.org"}, {"answer": "no", "negatives": ["b", "a@lianzi.org"]}])
def test_personal_data_in_what_a_row_is_answered_with_counts(answer: dict[str, Any], tmp_path: Path) -> None:
    found, [row] = split(tmp_path, json.dumps({"id": "train/1", "text": "who?", "label": "", **answer}) + "\n")
    assert (row["personal_data"], row["characters"]) == ("email", 4)
    assert found.columns == ("id", "text", "label")


def test_rows_are_numbered_across_parts(tmp_path: Path) -> None:
    rows = shard(tmp_path, [{"text": "one"}, {"text": "two"}], number=3)
    assert [row["row"] for row in rows] == [3 * PART_ROWS, 3 * PART_ROWS + 1]


def test_of_a_missing_text_nothing_is_known(tmp_path: Path) -> None:
    [row] = shard(tmp_path, [{"id": "a/1", "language": "en"}])
    assert {row[name] for name in ("characters", "fingerprint", "script_fits", "personal_data")} == {None}


def test_a_text_in_no_language_fits_none(tmp_path: Path) -> None:
    assert [row["script_fits"] for row in shard(tmp_path, [{"text": "text"}, {"text": "text", "language": "fr"}])] == [
        False,
        False,
    ]


@pytest.mark.parametrize(
    "texts",
    [
        ["plain", "山水", "山a", "山水a", "", "12345", "è山", "𠀀𠀁b", "가나다", "x" * SCRIPT_SAMPLE + "山" * 999],
        ["only ascii"],
        [None, "山水"],
    ],
)
def test_scripts_are_told_as_in_curation(texts: list[str | None]) -> None:
    expected = [script_language((text or "")[:SCRIPT_SAMPLE]) for text in texts]
    assert script_languages(pa.array(texts, pa.string())) == expected


def test_a_labelled_split_is_measured_and_a_column_too_many_stays_to_be_seen(tmp_path: Path) -> None:
    lines = '{"id": "1", "text": "one", "label": "a"}\n{"id": "2", "text": null, "label": "b", "mood": {"sad": 1}}\n'
    found, rows = split(tmp_path, lines)
    assert found.columns == ("id", "text", "label", "mood")
    assert [(row["label"], row["characters"]) for row in rows] == [("a", 3), ("b", None)]


@pytest.mark.parametrize("line", ["{", '{"id": "1", "text": 7, "label": "a"}', '{"text": "\\ud800"}'])
def test_a_damaged_split_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(ArtifactError, match=r"train.jsonl: damaged"):
        split(tmp_path, line)


def test_a_missing_split_and_a_damaged_shard_are_named(tmp_path: Path) -> None:
    part = Part(tmp_path / "gone", tmp_path / "measured.parquet", 0, "train")
    with pytest.raises(ArtifactError, match="gone: missing"):
        measure_split(part)
    (tmp_path / "gone").write_text(json.dumps({}))
    with pytest.raises(ArtifactError, match="gone: damaged"):
        measure_shard(part)


def test_several_texts_are_measured_as_one_with_a_line_each(tmp_path: Path) -> None:
    row = {"id": "1", "text": "who?", "choices": ["a b", "c"], "label": 1}
    (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    part = Part(tmp_path / "train.jsonl", tmp_path / "measured.parquet", 0, "train", "en", ("text", "choices"))
    found = measure_split(part)
    [measured] = pq.read_table(found.target).to_pylist()
    assert found.columns == ("id", "text", "label")
    assert (measured["text"], measured["label"]) == ("who?\na b\nc", "1")


def test_a_question_whose_context_lacks_its_answer_has_no_label() -> None:
    row = {"id": "train/1", "text": "which?\nship wave", "label": ""}
    for answers, label in (({"text": ["ship"]}, ""), ({"text": []}, ""), ({"text": ["lamp"]}, None), (None, None)):
        assert measure._labelled(row | {"answers": answers}) == row | {"label": label}
