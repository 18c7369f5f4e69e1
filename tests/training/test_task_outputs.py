"""Outputs of rows with choices and of windows: what there is not can never be the answer."""

from __future__ import annotations

import torch

from components.training.task_outputs import NEVER, by_choice, one_by_one


def test_a_choice_that_a_row_does_not_have_is_never_the_best() -> None:
    present = torch.tensor([[True, True, False], [True, True, True]])
    found = by_choice(torch.arange(6.0)[:, None], {"present": present})
    assert found.tolist() == [[0.0, 1.0, NEVER], [3.0, 4.0, 5.0]]


def test_an_answer_begins_and_ends_where_it_may_alone() -> None:
    outputs = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])  # [1, length, labels]
    found = by_choice(outputs, {"allowed": torch.tensor([[False, True, True]])})
    assert found.tolist() == [[[NEVER, 3.0, 5.0], [NEVER, 4.0, 6.0]]]


def test_outputs_of_other_rows_are_left_as_they_are() -> None:
    outputs = torch.ones(2, 3)
    assert by_choice(outputs, {}) is outputs


def test_choices_are_read_one_by_one_and_other_rows_as_they_are() -> None:
    ids = torch.arange(12).view(2, 3, 2)
    assert one_by_one(ids, {"present": torch.ones(2, 3)}).shape == (6, 2)
    assert one_by_one(ids, {}) is ids
