"""A phone number is told by its form, and by what stands beside it."""

from __future__ import annotations

import time

import pytest

from components.corpus.phone_numbers import phone_numbers, says_otherwise


def found(text: str) -> list[str]:
    return [text[start:end] for start, end in phone_numbers(text)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Leeds (0113) 496 0211, open", "(0113) 496 0211"),
        ("(+86) 139 1766 2045", "(+86) 139 1766 2045"),
        ("(+44 20 7946 0321)", "+44 20 7946 0321"),
        ("+44 20 7946 0321 2024", "+44 20 7946 0321"),
        ("0044 20 7946 0321", "0044 20 7946 0321"),
        ("王伟13917662045", "13917662045"),
        ("phone: 555-0187", "555-0187"),
    ],
)
def test_a_number_is_found_whole_and_no_more_of_the_text(text: str, number: str) -> None:
    assert number in found(text)
    assert max(map(len, found(text))) == len(number)


@pytest.mark.parametrize(
    "text",
    [
        "圆周率+3.1415926535",
        "+1.00000001",
        "+40.6894-074.0445/",
        "累计投资15000000000元",
        "13912345678 bytes",
        "order 13912345678",
        "订单号13912345678",
        "/item/13912345678.html",
        "phone 8.1.15148",
        "phones of 2019-2020, phone 2023-11-22",
        "+999 123 4567",
        "+1 100 555 0132",
    ],
)
def test_a_figure_a_version_a_date_and_an_order_are_none(text: str) -> None:
    assert found(text) == []


def test_the_words_before_a_number_say_what_it_is() -> None:
    assert says_otherwise("Invoice no. 1234", 12)
    assert says_otherwise("运单号：1234", 4)
    assert not says_otherwise("Call me: 1234", 9)


def test_long_rows_of_digits_cost_no_more_than_their_length() -> None:
    """Every way to cut them into groups would be tried, were the groups of the pattern not apart."""
    began = time.process_time()
    assert found(("+" + "1" * 90 + "x ") * 200) == []
    assert time.process_time() - began < 5
