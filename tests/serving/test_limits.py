from __future__ import annotations

from components.serving.limits import Limits


def test_the_largest_request_that_is_taken_fits_the_queue() -> None:
    """Else it would be told to come back for ever."""
    assert Limits().max_rows <= Limits().max_queue


def test_a_server_that_drains_waits_for_every_request_it_accepted() -> None:
    assert Limits().drain > Limits().timeout
