from __future__ import annotations

from components.serving.limits import Limits


def test_the_largest_request_that_is_taken_fits_the_queue() -> None:
    """Else it would be told to come back for ever."""
    assert Limits().max_rows <= Limits().max_queue


def test_a_row_waits_for_others_far_less_than_a_request_may_take() -> None:
    assert Limits().max_delay * 100 < Limits().timeout
