"""components.analysis.batches: answers alone and in company."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components.analysis.batches import analyze, changed_share
from components.analysis.config import BatchesConfig
from components.analysis.subject import read_subject
from components.tasks.rows import EVERY_ROW
from components.tasks.token_classification import TokenClassification
from tests.small_ladder import Ladder
from tests.small_subjects import small_subject

CONFIG = BatchesConfig(rows=200)


def test_answers_that_the_neighbours_change_are_counted() -> None:
    def answer(texts: Sequence[Any]) -> np.ndarray:
        """A row that begins a batch is answered otherwise."""
        return np.arange(len(texts)).clip(max=1)

    found = analyze(CONFIG, small_subject("ab", ["x"] * 16, [0] * 16, [0] * 16, answer=answer))
    assert found.metrics == {"rows": 16, "changed_by_1": round(15 / 16, 6), "changed_by_8": round(1 / 16, 6)}
    assert found.sentences[0].startswith(
        "answers depend on the batch: of 16 rows, 93.8% of them by 1, 6.2% of them by 8"
    )


def test_a_bundles_answers_are_tried_in_each_way(ladder: Ladder, tmp_path: Path) -> None:
    folders = (ladder.rows, tmp_path, tmp_path, ladder.student, ladder.bundle)
    subject = read_subject("places", "en", *folders, EVERY_ROW, 17, 100, 0.95)
    found = analyze(BatchesConfig(rows=20), subject)
    assert found.metrics["rows"] == 20
    assert found.metrics["changed_by_1"] == found.metrics["changed_by_8"] == 0
    assert found.metrics["largest_difference"] < 0.05
    assert found.sentences[0].startswith(
        "answers do not depend on the batch: 20 rows one by one, by 8 and all together"
    )


def test_tags_are_compared_without_the_padding_of_longer_rows() -> None:
    tags = {"x": [1], "x x": [0, 1]}

    def answer(texts: Sequence[Any]) -> np.ndarray:
        longest = max(len(tags[text]) for text in texts)
        return np.array([tags[text] + [-100] * (longest - len(tags[text])) for text in texts])

    task = TokenClassification(("O", "B-a"))
    targets = answer(["x", "x x"])
    subject = small_subject((), ["x", "x x"], targets, targets, task=task, answer=answer)
    assert changed_share(subject, ["x", "x x"], targets, 1) == 0
