from __future__ import annotations

import pytest

from components.serving.headers import byte_count


def test_a_number_of_bytes_is_read() -> None:
    assert [byte_count(given) for given in ("0", "20", "007", str(10**18))] == [0, 20, 7, 10**18]


@pytest.mark.parametrize(
    "given",
    ["", "-1", "+1", " 1", "1.0", "1e3", "1_0", "0x1", "ten", "nan", "²", "٣", "１", "9" * 20, "9" * 5000, "0" * 5000],
)
def test_anything_else_is_none(given: str) -> None:
    assert byte_count(given) is None
