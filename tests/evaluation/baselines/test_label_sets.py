from __future__ import annotations

import numpy as np

from components.deployment.rows import Rows
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.label_sets import LabelSetBaseline
from components.tasks.multi_label import MultiLabel
from tests.small_artifacts import sentences
from tests.small_kinds import places

TASK = MultiLabel(("city", "field", "sea"))


def rows(count: int, seed: int) -> Rows:
    made = [places(*sentence) for sentence in sentences(count, seed)]
    return Rows([row["text"] for row in made], TASK.targets(made))


def test_words_tell_which_labels_a_text_has() -> None:
    train, validation = rows(200, 0), rows(60, 1)
    baseline = LabelSetBaseline.tuned(TuningData(TASK, train, validation, "en"))
    assert baseline.validation_micro_f1 > 0.85
    assert (baseline.predict(validation.texts) == validation.targets).mean() > 0.85
    assert baseline.megabytes() > 0


def test_a_label_that_no_train_row_has_is_given_to_none() -> None:
    train, validation = rows(200, 0), rows(60, 1)
    train.targets[:, 2] = 0
    assert np.all(
        LabelSetBaseline.tuned(TuningData(TASK, train, validation, "en")).predict(validation.texts)[:, 2] == 0
    )
