"""Personal data is found by form and check digit; what only looks like it is left alone."""

from __future__ import annotations

import pyarrow as pa
import pytest

from benchmarks.personal_data import read_cases
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
        ("邮箱：ｌｉｎ＠ｌｉａｎｚｉ．ｏｒｇ", "email"),
        ("卡号６２５０９４１００６５２８５９９", "card"),
    ],
)
def test_each_kind_is_found(text: str, kind: str) -> None:
    assert kind_of(text) == kind
    assert found(["nothing", text]) == [None, kind]


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
        "git@github.com:user/repo.git, deploy@build.lianzi.org:/srv, ssh://anna@host.lianzi.org/x",
        "lodash@4.17.21.tgz, logo@2x.png, user@1000.service, y = x@W.dot(b)",
        "sha256:4532015112830366a1 and 4539578763621486.00",
        "",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert kind_of(text) is None
    assert found([text]) == [None]


def test_a_missing_text_has_none() -> None:
    assert found([None, "a@lianzi.org"]) == [None, "email"]


def test_numbers_in_source_code_are_no_cards_and_no_social_security_numbers() -> None:
    code = ['card = "4111 1111 1111 1111"  # 123-45-6789', "# a@lianzi.org"]
    assert found(code, [True, True]) == [None, "email"]
    assert found(code, [False, False]) == ["card", "email"]


def test_the_check_finds_nearly_all_cases_of_its_kinds() -> None:
    """It asks nobody else, and knows less of what stands beside a number than what scrubs."""
    names = {"email": "email", "credit_card": "card", "resident_identity_number": "resident number"}
    cases = read_cases()
    missed = [case.text for case in cases if case.kind in names and kind_of(case.text) != names[case.kind]]
    wrong = [case.text for case in cases if not case.kind and kind_of(case.text)]
    assert len(missed) <= 0.05 * sum(case.kind in names for case in cases), missed
    assert len(wrong) <= 0.01 * sum(not case.kind for case in cases), wrong


def found(texts: list[str | None], code: list[bool] | None = None) -> list[str | None]:
    return personal_data(pa.array(texts, pa.string()), pa.array(code or [False] * len(texts)))
