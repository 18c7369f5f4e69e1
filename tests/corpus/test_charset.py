"""Encodings are told from texts of a few words; which iconv knows by the name given."""

from __future__ import annotations

import subprocess

import pytest

from components.corpus.charset import _CANDIDATES, conversion, guessed

TEXTS = {
    "GB18030": ("gbk", "今天天气真好，我们去公园散步，看见很多人在放风筝。"),
    "BIG5": ("big5", "今天天氣真好，我們去公園散步，看見很多人在放風箏。"),
    "CP932": ("cp932", "今日は天気がいいので、公園を散歩しました。"),
    "CP1252": ("cp1252", "café crème à la française, déjà vu, naïve élève, où est l’été"),
    "CP1250": ("cp1250", "Zażółć gęślą jaźń, dzień dobry, proszę pana, wróć później"),
    "CP1251": ("cp1251", "Сегодня хорошая погода, мы гуляли в парке."),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("times", [1, 30])
def test_an_encoding_is_told_from_a_line(name: str, times: int) -> None:
    encoding, text = TEXTS[name]
    assert guessed(f"{text}\n".encode(encoding) * times) == name


@pytest.mark.parametrize("text", ["价格便宜，味道不错", "不好吃", "好,1\n不好,0"])
def test_a_few_characters_of_chinese_are_enough(text: str) -> None:
    assert guessed(text.encode("gbk")) == "GB18030"


def test_one_letter_is_enough_for_western_text() -> None:
    assert guessed("The café was nice and the food cheap".encode("cp1252")) == "CP1252"


def test_utf8_with_a_broken_byte_is_told_from_another_encoding() -> None:
    text = "今天天气真好，我们去公园散步".encode()
    assert conversion(text[:9] + b"\xff" + text[9:]).startswith("the rest is UTF-8: `iconv -c -f UTF-8")
    assert conversion("今天天气真好，我们去公园散步".encode("gbk")).startswith(
        "it looks like GB18030: `iconv -f GB18030"
    )


def test_iconv_knows_every_name() -> None:
    for name in _CANDIDATES.values():
        subprocess.run(["iconv", "-f", name, "-t", "UTF-8"], input=b"a", check=True, capture_output=True)
