from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from components.tasks.classification import Classification

TASK = Classification(("field", "sea"))


def test_a_label_of_no_training_row_is_refused() -> None:
    TASK.check("sea")
    with pytest.raises(ValueError, match="label 'desert' is not among the labels"):
        TASK.check("desert")


def test_targets_are_numbers_of_labels_and_come_back_as_labels() -> None:
    targets = TASK.targets([{"label": "sea"}, {"label": "field"}])
    assert targets.tolist() == [1, 0]
    assert TASK.values(targets) == ["sea", "field"]


def test_the_answer_is_the_likeliest_label_and_never_one_without_a_number() -> None:
    assert TASK.decode(np.array([[0.1, 0.2], [3.0, np.nan]], dtype=np.float32)).tolist() == [1, 0]


def test_the_loss_is_the_sum_over_rows() -> None:
    outputs, targets = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])
    assert TASK.loss(outputs, targets, 0.1) == cross_entropy(outputs, targets, label_smoothing=0.1, reduction="sum")


def test_agreement_is_the_share_of_equal_answers() -> None:
    assert TASK.agreement(np.array([0, 1]), np.array([0, 0])) == 0.5
