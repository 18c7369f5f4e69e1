"""benchmarks.pretraining: which rows a seed learns from, and the interval of its gains."""

from __future__ import annotations

import pytest
import torch

from benchmarks.pretraining import Comparison, interval, subsample
from components.training.task_data import Examples

EXAMPLES = Examples([torch.tensor([place]) for place in range(260)], torch.tensor([0] * 200 + [1] * 50 + [2] * 10))


def test_every_class_keeps_its_share_of_the_rows_and_at_least_two() -> None:
    few = subsample(EXAMPLES, 0.05, seed=1)
    assert few.targets.tolist() == [0] * 10 + [1] * 2 + [2] * 2
    assert [EXAMPLES.targets[int(ids)] for ids in few.ids] == few.targets.tolist()


def test_the_seed_alone_decides_which_rows_are_kept() -> None:
    first, again, other = (subsample(EXAMPLES, 0.05, seed) for seed in (1, 1, 2))
    assert first.ids == again.ids
    assert first.ids != other.ids


def test_all_of_the_labels_are_all_of_the_rows() -> None:
    assert subsample(EXAMPLES, 1.0, seed=1) is EXAMPLES


def test_the_interval_is_that_of_a_paired_t_test() -> None:
    assert interval([0.01, 0.03]) == pytest.approx((0.02 - 0.127062, 0.02 + 0.127062), abs=1e-6)


def test_a_gain_is_paired_by_seed() -> None:
    row = Comparison([0.8, 0.9], [0.7, 0.8], 1.0).row()
    assert row["gains"] == [0.1, 0.1]
    assert (row["gain"], row["low"], row["high"]) == pytest.approx((0.1, 0.1, 0.1))
