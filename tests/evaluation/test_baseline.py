from __future__ import annotations

from pathlib import Path

import numpy as np

from components.deployment.rows import read_rows
from components.evaluation.baseline import Baseline
from tests.small_ladder import LABELS


def test_the_baseline_learns_a_task_of_words(task_rows: Path) -> None:
    train, test = (read_rows(task_rows, split, LABELS) for split in ("train", "test"))
    baseline = Baseline.fit(train.texts, train.targets, "en")
    assert (baseline.predict(test.texts) == test.targets).mean() > 0.9
    assert baseline.megabytes() > 0


def test_chinese_is_read_by_its_characters() -> None:
    texts = ["春眠不覺曉", "夜來風雨聲", "大江東去浪", "千古風流人"] * 4
    targets = np.array([0, 0, 1, 1] * 4)
    baseline = Baseline.fit(texts, targets, "zh")
    assert baseline.predict(["不覺曉風雨", "江東去風流"]).tolist() == [0, 1]


def test_the_same_rows_give_the_same_weights(task_rows: Path) -> None:
    train = read_rows(task_rows, "train", LABELS)
    one, two = (Baseline.fit(train.texts, train.targets, "en") for _ in range(2))
    assert np.array_equal(one.classifier.coef_, two.classifier.coef_)
