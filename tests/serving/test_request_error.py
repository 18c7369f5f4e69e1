from __future__ import annotations

import pytest

from components.serving.request_error import RequestError


@pytest.mark.parametrize(("status", "told"), [(429, True), (503, True), (400, False), (422, False)])
def test_only_what_passes_tells_when_to_come_back(status: int, told: bool) -> None:
    assert ("retry-after" in RequestError(status, "no").headers) == told


@pytest.mark.parametrize(("status", "closed"), [(408, True), (413, True), (400, False), (429, False)])
def test_a_connection_with_half_a_body_on_it_is_closed(status: int, closed: bool) -> None:
    assert ("connection" in RequestError(status, "no").headers) == closed
