"""Rows found again in data/, as they stand there."""

from __future__ import annotations

from pathlib import Path

from components.corpus.originals import has_own_id, original_document, original_labelled
from tests.corpus.small_corpus import small_data, write


def test_a_document_is_found_on_its_line_under_its_id(tmp_path: Path) -> None:
    data = small_data(tmp_path / "data")
    write(data / "corpus" / "lake" / "deep.jsonl", [{"text": "one"}, {"id": "b", "text": "two a@b.example"}])
    record = original_document(data, "corpus/lake/deep.jsonl", 2, "lake/deep/b")
    assert record is not None
    assert record.text() == "two a@b.example"
    assert has_own_id(record)
    first = original_document(data, "corpus/lake/deep.jsonl", 1, "lake/deep/line-1")
    assert first is not None
    assert not has_own_id(first)
    assert original_document(data, "corpus/lake/deep.jsonl", 1, "lake/deep/b") is None
    assert original_document(data, "corpus/lake/deep.jsonl", 3, "lake/deep/c") is None
    assert original_document(data, "corpus/gone.jsonl", 1, "gone/a") is None


def test_a_labelled_row_is_found_by_its_name(tmp_path: Path) -> None:
    data = small_data(tmp_path / "data")
    assert [record.line for record in original_labelled(data, "colour", "train/line-2")] == [2]
    assert original_labelled(data, "colour", "train/line-9") == []
    assert original_labelled(data, "nothing", "train/line-1") == []
