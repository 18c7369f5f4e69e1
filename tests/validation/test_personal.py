"""Personal data is found by form and check digit; what only looks like it is left alone."""

from __future__ import annotations

import pyarrow as pa
import pytest

from components.validation.personal import kind_of, personal_data


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to jane.doe+list@mail.lianzi.org today", "email"),
        ("请联系 zhang.wei@lianzi.com.cn。", "email"),
        ("card 4111 1111 1111 1111 was charged", "card"),
        ("3782-822463-10005", "card"),
        ("卡号6250941006528599", "card"),
        ("身份证号11010519491231002X", "resident number"),
        ("SSN 123-45-6789.", "social security number"),
    ],
)
def test_each_kind_is_found(text: str, kind: str) -> None:
    assert kind_of(text) == kind
    assert personal_data(pa.array(["nothing", text])) == [None, kind]


@pytest.mark.parametrize(
    "text",
    [
        "the placeholder email@example.com, and a@b.example.org",  # domains that belong to nobody
        "4111 1111 1111 1112",  # wrong check digit
        "ISBN 978-3-16-148410-0",
        "11010519491231002A and 110105194912310021",  # wrong check character
        "000-12-3456 and 12-345-6789",
        "pi is 3.14159265358979323846",
        "@ noon, on 2024-01-02 03:04:05",
        "",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert kind_of(text) is None
    assert personal_data(pa.array([text])) == [None]


def test_a_missing_text_has_none() -> None:
    assert personal_data(pa.array([None, "a@lianzi.org"], pa.string())) == [None, "email"]
