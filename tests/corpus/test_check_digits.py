"""Check digits tell a number from one with a digit changed; the examples are published ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from components.corpus.check_digits import luhn, mod_11_2, mod_97

NUMBERS = [
    (luhn, "4111111111111111"),
    (luhn, "378282246310005"),
    (mod_11_2, "11010519491231002X"),
    (mod_11_2, "11010519491231002x"),
    (mod_11_2, "440524188001010014"),
    (mod_97, "GB82WEST12345698765432"),
    (mod_97, "DE89370400440532013000"),
]


@pytest.mark.parametrize(("check", "number"), NUMBERS)
def test_a_right_number_passes_and_none_with_one_digit_changed(check: Callable[[str], bool], number: str) -> None:
    assert check(number)
    for place, digit in enumerate(number):
        if digit.isdigit():
            changed = str((int(digit) + 1) % 10)
            assert not check(number[:place] + changed + number[place + 1 :])
