from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.deployment.rows import Rows, read_rows
from components.errors import DataError
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.tf_idf import STRENGTHS, Grams, Table, TfIdf, TfIdfChoice
from components.tasks.classification import Classification
from tests.small_ladder import LABELS

TASK = Classification(tuple(LABELS))


def splits(folder: Path) -> tuple[Rows, Rows, Rows]:
    train, validation, test = (read_rows(folder, split, LABELS) for split in ("train", "validation", "test"))
    return train, validation, test


def rows(texts: list[str], targets: list[int]) -> Rows:
    return Rows(texts, np.array(targets, dtype=np.int64))


def test_the_baseline_learns_a_task_of_words(task_rows: Path) -> None:
    train, validation, test = splits(task_rows)
    fitted = TfIdf.tuned(TuningData(TASK, train, validation, "en"))
    assert (fitted.predict(test.texts) == test.targets).mean() > 0.9
    assert fitted.megabytes() > 0


def test_chinese_is_read_by_its_characters() -> None:
    train = rows(["春眠不覺曉", "夜來風雨聲", "大江東去浪", "千古風流人"] * 4, [0, 0, 1, 1] * 4)
    fitted = TfIdf.tuned(TuningData(TASK, train, rows(["不覺曉風雨", "江東去風流"], [0, 1]), "zh"))
    assert fitted.predict(["不覺曉風雨", "江東去風流"]).tolist() == [0, 1]
    assert fitted.choice.grams.analyzer == "char"


def test_the_same_rows_give_the_same_weights(task_rows: Path) -> None:
    train, validation, _ = splits(task_rows)
    one, two = (TfIdf.tuned(TuningData(TASK, train, validation, "en")) for _ in range(2))
    assert one.choice == two.choice
    for left, right in zip(one.classifier.estimators_, two.classifier.estimators_, strict=True):
        assert np.array_equal(left.coef_, right.coef_)


def test_words_that_stand_once_are_counted_where_the_validation_rows_ask_for_them() -> None:
    """Every word of the training rows stands in one of them: with min_df 2 nothing is left."""
    train = rows(["ship wave", "harbour sail", "wheat barn", "meadow plough"], [0, 0, 1, 1])
    fitted = TfIdf.tuned(TuningData(TASK, train, rows(["ship harbour", "barn meadow"], [0, 1]), "en"))
    assert fitted.choice.least == 1
    assert fitted.validation_macro_f1 == 1


def test_the_setting_is_the_best_on_the_validation_rows() -> None:
    generator = np.random.default_rng(3)
    words = [f"word{number}" for number in range(40)]

    def made(count: int) -> Rows:
        targets = generator.integers(2, size=count)
        texts = [" ".join(generator.choice(words[5 * t : 30 + 5 * t], size=6)) for t in targets]
        return Rows(texts, targets.astype(np.int64))

    train, validation = made(200), made(100)
    fitted = TfIdf.tuned(TuningData(TASK, train, validation, "en"))
    table = Table.of(fitted.choice.grams, fitted.choice.least, train, validation)
    assert table is not None
    scores = [
        table.fitted(strength, weights).validation_macro_f1 for strength in STRENGTHS for weights in (True, False)
    ]
    assert fitted.validation_macro_f1 == max(scores)


def test_a_setting_is_told_in_words_and_in_numbers() -> None:
    choice = TfIdfChoice(Grams("word", 1, 2), 2, 30.0, True)
    assert str(choice) == "1 to 2 words, min_df 2, C 30, balanced class weights"
    assert choice.metrics() == {"characters": 0, "longest_n_gram": 2, "min_df": 2, "c": 30.0, "balanced": 1}


def test_texts_without_words_are_refused() -> None:
    blank = rows(["", " "], [0, 1])
    with pytest.raises(DataError, match="no words to count"):
        TfIdf.tuned(TuningData(TASK, blank, blank, "en"))


def test_two_texts_are_compared_by_the_words_that_both_have() -> None:
    words = ("ship", "wave", "tower", "lamp", "wheat", "plough")
    pairs = [(one, other) for one in words for other in words for _ in range(3)]
    rows = Rows(pairs, np.array([int(one == other) for one, other in pairs]))
    fitted = TfIdf.tuned(TuningData(TASK, rows, rows, "en"))
    assert (fitted.predict(pairs) == rows.targets).all()
