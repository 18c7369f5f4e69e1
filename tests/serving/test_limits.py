from __future__ import annotations

from components.serving.limits import Limits


def test_the_largest_request_that_is_taken_fits_the_queue() -> None:
    assert Limits(max_rows=10, max_queue=20).largest == 10
    assert Limits(max_rows=10, max_queue=5).largest == 5


def test_a_server_that_drains_waits_for_every_request_it_accepted() -> None:
    assert Limits().drain > Limits().timeout
