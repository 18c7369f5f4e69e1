"""What tells of a person goes, and numbers that only look like it stay."""

from __future__ import annotations

import pytest

from components.corpus.personal_data import CHANGES, KINDS, scrubbed, scrubbed_around_code

ALL = tuple(KINDS)
FOUND = {
    "email": ["jane.doe+news@mail.example.org", "wang@example.com.cn"],
    "iban": ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000"],
    "resident_identity_number": ["11010519491231002X"],
    "credit_card": ["4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005"],
    "social_security_number": ["123-45-6789", "219-09-9871"],
    "ip_address": ["93.184.216.34", "2001:4860:4860::8888", "2001:db9:0:1:1:1:1:1"],
    "phone": [
        "(212) 555-0187",
        "212-555-0187",
        "1-800-555-0199",
        "+1 212 555 0187",
        "+44 20 7946 0958",
        "+49 (0)30 901820",
        "13812345678",
        "138-1234-5678",
        "+86 138 1234 5678",
        "010-62345678",
    ],
}


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in FOUND.items() for value in values])
@pytest.mark.parametrize("around", ["Send it to {}, please.", "{}", "請寄到{}，謝謝。", "(see {})", "It is {}."])
def test_personal_data_is_replaced_by_its_placeholder(kind: str, value: str, around: str) -> None:
    text, changes = scrubbed(around.format(value), ALL)
    assert text == around.format(KINDS[kind].placeholder)
    assert changes == [f"{kind}_scrubbed"]
    assert set(changes) <= set(CHANGES)


@pytest.mark.parametrize(
    "text",
    [
        "from 1948-1952, and again 1960-1964 on pages 101-105",
        "Genesis 1:1-2:3 and Matthew 5:3-12",
        "at 12:30:45 on 2024-11-22, 2024/11/22",
        "3.14159265358979 and 1,234,567,890 people",
        "602,214,076,000,000,000,000,000",
        "version 10.0.19.41 and chapter 1.2.3.4.5, 192.168.0.1, 127.0.0.1",
        "ISBN 978-3-16-148410-0, ISSN 2049-3630",
        "4111 1111 1111 1112 has a wrong check digit",
        "GB83 WEST 1234 5698 7654 32 as well",
        "110105194912310021 also",
        "000-12-3456 was never given out",
        "std::vector<int> a::b, 10:20:30",
        "@someone wrote at 5@home",
        "$13812345678 and 13,812,345,678",
        "The years 1990 1991 1992 1993",
        "第1章，第23頁，1949年10月1日",
        "x + 12345678 = 23456789",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert scrubbed(text, ALL) == (text, [])


def test_only_the_kinds_asked_for_go() -> None:
    text = "jane@example.org or (212) 555-0187"
    assert scrubbed(text, ["phone"]) == ("jane@example.org or <PHONE>", ["phone_scrubbed"])
    assert scrubbed(text, []) == (text, [])


def test_labelled_numbers_are_phones_whatever_their_form_and_the_label_stays() -> None:
    assert scrubbed("Tel: 020 7946 0958", ALL)[0] == "Tel: <PHONE>"
    assert scrubbed("电话：62345678转3", ALL)[0] == "电话：<PHONE>转3"
    assert scrubbed("telling 555 0187 people", ALL)[1] == []


def test_full_width_characters_are_read_as_the_ascii_ones_and_the_rest_keeps_its_own() -> None:
    assert scrubbed("请拨１３９１２３４５６７８，谢谢１２３。", ALL)[0] == "请拨<PHONE>，谢谢１２３。"
    assert (
        scrubbed("邮箱：ｗａｎｇ＠ｌｉａｎｚｉ．ｏｒｇ；电话（０２１）５４３４２２１０", ALL)[0]
        == "邮箱：<EMAIL>；电话<PHONE>"
    )


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("the server 8.8.4.4 answers", "the server <IP> answers"),
        ("来自1.2.4.8的请求", "来自<IP>的请求"),
        ("http://1.2.4.8/ and 1.2.4.8:80", "http://<IP>/ and <IP>:80"),
    ],
)
def test_four_small_numbers_are_an_address_where_something_of_a_net_stands_beside_them(text: str, clean: str) -> None:
    assert scrubbed(text, ALL)[0] == clean
    assert scrubbed("8.8.4.4 Results", ALL)[1] == []


def test_source_code_is_scrubbed_of_what_proves_itself_alone() -> None:
    code = 'CALL = "(212) 555-0187"  # jane@lianzi.org\nHOST = "93.184.216.34"\nCARD = "4111 1111 1111 1111"\n'
    assert scrubbed_around_code(code, ALL, code=True) == (
        code.replace("jane@lianzi.org", "<EMAIL>"),
        ["email_scrubbed"],
    )
    assert scrubbed_around_code(code, ALL) == scrubbed_around_code(code, ALL, code=True)
    assert scrubbed_around_code("y = x@beta.values\n", ALL, code=True)[1] == []


def test_a_text_around_code_is_scrubbed_as_any_other() -> None:
    text = "Call (212) 555-0187:\n\n```python\nnumber = '(212) 555-0187'\n```\n\nor mail jane@lianzi.org."
    clean, changes = scrubbed_around_code(text, ALL)
    assert clean == text.replace("Call (212) 555-0187", "Call <PHONE>").replace("jane@lianzi.org", "<EMAIL>")
    assert changes == ["email_scrubbed", "phone_scrubbed"]
    assert scrubbed_around_code("Call (212) 555-0187", ALL) == ("Call <PHONE>", ["phone_scrubbed"])
