"""components.modeling.objectives.views: where a window is cut, and how its spans are read."""

from __future__ import annotations

import torch

from components.modeling.objectives.views import framed, views_of


def window(*lengths: int) -> torch.Tensor:
    """One window of documents of these lengths, each of one token (10, 11, ...) and its separator."""
    return torch.tensor([[token for place, length in enumerate(lengths) for token in [10 + place] * length + [2]]])


def test_both_views_are_of_the_document_that_reaches_furthest_to_both_sides() -> None:
    views, pooled = views_of(window(6, 17, 4), separator_id=2)
    assert views.shape == pooled.shape == (2, 10)
    assert views.tolist() == [[10, 2] + [11] * 8, [11] * 9 + [2]]
    assert pooled.tolist() == [[False] * 2 + [True] * 8, [True] * 9 + [False]]


def test_a_document_that_ends_within_a_view_is_pooled_up_to_its_separator() -> None:
    views, pooled = views_of(window(10, 9, 9), separator_id=2)
    assert set(views[pooled].tolist()) == {11}
    assert pooled.sum(dim=1).tolist() == [4, 5]


def test_a_window_of_one_document_is_pooled_throughout() -> None:
    views, pooled = views_of(torch.arange(10, 40).reshape(1, 30), separator_id=2)
    assert views.tolist() == [list(range(10, 20)), list(range(20, 30))]
    assert pooled.all()


def test_spans_are_framed_as_an_encoder_reads_two_texts_and_what_does_not_count_is_padding() -> None:
    first = torch.tensor([[9, 11, 12]]), torch.tensor([[False, True, True]])
    second = torch.tensor([[13, 14, 9]]), torch.tensor([[True, True, False]])
    ids, mask, segments = framed([first, second], cls_id=1, separator_id=2, pad_id=0)
    assert ids.tolist() == [[1, 11, 12, 2, 13, 14, 2, 0, 0]]
    assert mask.tolist() == [[1, 1, 1, 1, 1, 1, 1, 0, 0]]
    assert segments[0, :7].tolist() == [0, 0, 0, 0, 1, 1, 1]
