"""components.analysis.leakage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.analysis.config import LeakageConfig
from components.analysis.leakage import TestRows, analyze
from components.analysis.subject import Subject
from components.corpus.documents import write_shard
from components.deployment.rows import Rows
from components.tasks.classification import Classification
from tests.small_artifacts import sentences
from tests.small_subjects import small_subject

CONFIG = LeakageConfig(documents=100, min_overlap=0.5)
POEM = "白日依山盡黃河入海流欲窮千里目更上一層樓"


def words(first: int, count: int) -> str:
    return " ".join(f"w{number}" for number in range(first, first + count))


TEXTS = [words(0, 30), words(100, 30), words(200, 30), words(300, 30), "old ship", "new town"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A document with the whole of the third row, and one with nothing."""
    texts = [f"before it. {TEXTS[2].upper()}, and behind", words(900, 40), "old ship and tower"]
    rows = [{"id": f"news/{number}", "text": text} for number, text in enumerate(texts)]
    write_shard(tmp_path / "train" / "news-00000-ab.parquet", rows)
    return tmp_path


def subject(corpus: Path) -> Subject:
    """Of the first row all is among the training rows, of the second two thirds, of the fifth, a short one, all."""
    training = [TEXTS[0], f"{words(100, 24)} {words(800, 6)}", words(700, 30), "Old ship!"]
    return small_subject(
        ["a", "b"],
        TEXTS,
        [0, 0, 0, 1, 1, 1],
        [0, 0, 0, 0, 1, 1],
        train=Rows(training, np.zeros(4, np.int64)),
        train_columns=[{"id": f"train/line-{number}"} for number in range(1, 5)],
        corpus=corpus,
    )


def test_rows_that_were_seen_are_named_with_the_place(corpus: Path) -> None:
    found = analyze(CONFIG, subject(corpus))
    assert found is not None
    assert found.metrics["training_rows"] == {"exact": 2, "near": 1}
    assert found.metrics["corpus"] == {"exact": 1, "near": 0, "documents": 3}
    rows = {row[0]: row[1:5] for row in found.tables["Test rows that were seen"].rows}
    assert rows == {
        "test/line-1": ("training rows", "train/line-1", "exactly", 1.0),
        "test/line-5": ("training rows", "train/line-4", "exactly", 1.0),
        "test/line-3": ("corpus", "news/0", "exactly", 1.0),
        "test/line-2": ("training rows", "train/line-2", "nearly", pytest.approx(12 / 18, abs=1e-6)),
    }


def test_the_score_is_told_without_them(corpus: Path) -> None:
    found = analyze(CONFIG, subject(corpus))
    assert found is not None
    assert found.metrics["macro_f1"]["all"]["value"] == pytest.approx(0.8286, abs=1e-4)
    assert found.metrics["macro_f1"]["without_leaked"]["value"] == pytest.approx(1 / 3, abs=1e-4)
    assert found.sentences[0] == (
        "leakage: 4 of 6 test rows were found, searching 4 training rows and 3 documents of the corpus: "
        "2 exactly and 1 nearly in training rows, 1 exactly and 0 nearly in documents"
    )
    assert found.sentences[1].startswith("macro-F1 without them 0.333")


def test_of_a_large_corpus_only_so_many_documents_are_searched(corpus: Path) -> None:
    found = analyze(LeakageConfig(documents=2, min_overlap=0.5), subject(corpus))
    assert found is not None
    assert found.metrics["corpus"]["documents"] == 2


def test_rows_that_nobody_has_seen_say_so(tmp_path: Path) -> None:
    given = small_subject(
        ["a", "b"], TEXTS, [0] * 6, [0] * 6, train=Rows([words(500, 20)], np.zeros(1)), corpus=tmp_path
    )
    found = analyze(CONFIG, given)
    assert found is not None
    assert found.sentences == (
        "leakage: none of 6 test rows was found, searching 1 training row and 0 documents of the corpus",
    )
    assert found.tables == {}


def test_chinese_is_compared_by_characters() -> None:
    rows = TestRows([[POEM]], 10)
    assert rows.in_row([f"{POEM[:10]}，{POEM[10:]}。"]) == {0: 1.0}
    assert rows.in_document(f"他說：{POEM[:15]}") == {0: pytest.approx(6 / 11)}


def test_a_row_of_two_texts_was_seen_where_both_were() -> None:
    rows = TestRows([["who is it", words(0, 20)], ["what is it", words(0, 20)]], 13)
    assert rows.in_row(["What is it?", words(0, 20)]) == {1: 1.0}


def test_rows_may_have_fewer_choices_than_others() -> None:
    rows = TestRows([["who is it", "a king", "a cook", "a cat"], ["what is it", "a ship", "a sea"]], 13)
    assert rows.in_row(["What is it?", "a ship", "a sea"]) == {1: 1.0}
    assert rows.in_row(["What is it?", "a ship"]) == {}
    assert rows.in_row(["who is it", "a king", "a cook"]) == {}
    assert rows.in_document("nothing of them") == {}


def test_a_task_of_pairs_is_searched_text_by_text(corpus: Path) -> None:
    task = Classification(("a", "b"), pair=True)
    pairs = [(text, other) for (text, _), (other, _) in zip(sentences(4, 1), sentences(4, 2), strict=True)]
    found = analyze(CONFIG, small_subject([], pairs, [0, 1, 0, 1], [0, 1, 0, 1], task=task, corpus=corpus))
    assert found is not None
    assert found.metrics["training_rows"] == {"exact": 4, "near": 0}
