"""components.analysis.rates."""

from __future__ import annotations

import pytest

from components.analysis.rates import Rate


def test_a_rate_has_wilsons_interval() -> None:
    found = Rate.of(5, 50, 0.95)
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.04348, 0.21360), abs=1e-5)
    assert str(found) == "10.0 % (4.3 to 21.4)"


def test_no_row_of_few_is_not_known_to_be_none() -> None:
    found = Rate.of(0, 10, 0.95)
    assert found.low == 0
    assert found.high == pytest.approx(0.27753, abs=1e-5)
