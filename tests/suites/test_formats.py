"""components.suites.formats: files as they are published, and the same rows from the hub's parquet."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, Features, Sequence, Value

from components.errors import DataError
from components.suites.formats import conll, jsonl, parallel, parquet, tsv


def test_a_line_that_is_cut_short_is_told_or_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "train.tsv"
    path.write_text('text\tlabel\n"one\u2028two\t1\nthree\n', encoding="utf-8")
    columns = {"sentence": "text", "label": "label", "idx2": "absent"}
    with pytest.raises(DataError, match=r"train.tsv:3: 1 columns"):
        tsv(columns)(path)
    assert tsv(columns, broken=True)(path) == [{"idx": 0, "sentence": '"one\u2028two', "label": "1"}]


def test_sentences_stand_between_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "eng.testb"
    path.write_text("-DOCSTART- -X- -X- O\n\nAda NNP I-NP I-PER\n\n\nParis NNP I-NP I-LOC\n. . O O\n")
    assert conll(path) == [
        {"tokens": ["Ada"], "ner_tags": ["I-PER"]},
        {"tokens": ["Paris", "."], "ner_tags": ["I-LOC", "O"]},
    ]


def test_two_files_are_as_long(tmp_path: Path) -> None:
    (tmp_path / "train.en").write_text("one\ntwo\n")
    (tmp_path / "train.de").write_text("eins\nzwei\n")
    read = parallel(("en", "de"))
    assert read(tmp_path / "train.en", tmp_path / "train.de")[1] == {"translation": {"en": "two", "de": "zwei"}}
    (tmp_path / "train.de").write_text("eins\n")
    with pytest.raises(DataError, match=r"2 lines, train\.de 1"):
        read(tmp_path / "train.en", tmp_path / "train.de")


def test_json_is_a_line_an_object_or_a_list(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": "\u2028"}\n\n{"a": 2}\n', encoding="utf-8")
    assert jsonl(path) == [{"a": "\u2028"}, {"a": 2}]
    path.write_text('[{"a": 1}]')
    assert jsonl(path) == [{"a": 1}]
    path.write_text('{"a": 1}\n{"a"')
    with pytest.raises(DataError, match=r"rows.jsonl:2: not JSON"):
        jsonl(path)


def test_parquet_has_tags_by_their_names_and_labels_as_numbers(tmp_path: Path) -> None:
    features = Features(
        {
            "sentence": Value("string"),
            "label": ClassLabel(names=["no", "yes"]),
            "ner_tags": Sequence(ClassLabel(names=["O", "B-PER"])),
        }
    )
    rows = {"sentence": ["a", "b"], "label": [1, -1], "ner_tags": [[0, 1], [0]]}
    Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "test-00000-of-00001.parquet")
    found = parquet([tmp_path / "test-00000-of-00001.parquet"])
    assert found[0] == {"sentence": "a", "label": 1, "ner_tags": ["O", "B-PER"]}
    assert found[1]["label"] == -1
