from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from components.tasks.metrics import MicroF1, score
from components.tasks.multi_label import LabelMacroF1, MultiLabel

TASK = MultiLabel.fit([["sea", "city"], [], ["field"]], threshold=0.5)
TARGETS = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]])


def test_labels_are_those_of_the_train_rows() -> None:
    assert TASK.labels == ("city", "field", "sea")
    with pytest.raises(ValueError, match="the train rows have the label 'sea' alone; kind multi_label needs two"):
        MultiLabel.fit([["sea"], []])


def test_a_label_is_given_where_its_probability_reaches_the_threshold() -> None:
    outputs = np.array([[0.1, -0.1, np.nan]], dtype=np.float32)
    assert TASK.values(TASK.decode(outputs)) == [["city"]]
    assert MultiLabel(TASK.labels, 0.4).values(MultiLabel(TASK.labels, 0.4).decode(outputs)) == [["city", "field"]]
    with pytest.raises(ValueError, match=r"threshold 1\.0 is no probability"):
        MultiLabel.from_manifest({"labels": ["a", "b"], "threshold": 1})


def test_targets_are_a_number_for_each_label() -> None:
    rows = [{"labels": ["sea", "city"]}, {"labels": []}, {"labels": ["field"]}]
    assert TASK.targets(rows).tolist() == TARGETS.tolist()
    TASK.check(["sea"])
    with pytest.raises(ValueError, match="label 'moon' is not among the labels"):
        TASK.check(["sea", "moon"])
    with pytest.raises(ValueError, match="are no list"):
        TASK.check("sea")


@given(st.integers(0, 10_000))
def test_both_f1_are_scikit_learns(seed: int) -> None:
    random = np.random.default_rng(seed)
    targets, answers = random.integers(0, 2, size=(2, 20, 4))
    targets[:, 0] = answers[:, 1] = 1  # every label occurs
    expected = [f1_score(targets, answers, average=kind, zero_division=0) for kind in ("micro", "macro")]
    assert [score(metric, targets, answers) for metric in (MicroF1(), LabelMacroF1(4))] == pytest.approx(expected)


def test_the_loss_is_the_cross_entropy_of_each_label() -> None:
    loss = TASK.loss(torch.zeros(3, 3), torch.from_numpy(TARGETS))
    assert loss.item() == pytest.approx(9 * np.log(2))
    surely = torch.from_numpy(np.where(TARGETS, 20.0, -20.0))
    assert TASK.loss(surely, torch.from_numpy(TARGETS)).item() == pytest.approx(0, abs=1e-6)
    assert TASK.loss(surely, torch.from_numpy(TARGETS), label_smoothing=0.1).item() > 1


def test_answers_are_counted_by_label() -> None:
    answers = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 0]])
    assert TASK.class_counts(TARGETS, answers) == {"city": (1, 1, 1), "field": (1, 1, 2), "sea": (0, 1, 0)}
    told = [TASK.values(side) for side in TASK.pairs(TARGETS, answers)]
    assert told == [["city", "none", "sea", "field"], ["city", "field", "none", "field"]]
    assert TASK.same(TARGETS, answers).tolist() == [False, True, True]
    assert TASK.agreement(TARGETS, answers) == pytest.approx(7 / 9)
