"""One spelling for one text."""

from __future__ import annotations

import pytest

from components.corpus.normalise import normalise


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("cafe\u0301", "caf\u00e9"),
        ("  white\tspace \n", "white\tspace"),
        ("one\r\ntwo\rthree\u2028four\ffive", "one\ntwo\nthree\nfour\nfive"),
        ("be\x00ll\x07 \x1b[31mred\x9f", "bell [31mred"),
        ("\ufeffmark", "mark"),
        ("lone \ud800surrogate", "lone surrogate"),
        ("\x01\x02", ""),
        ("身似星流跡似蓬，\r\n玉關孤望", "身似星流跡似蓬，\n玉關孤望"),
    ],
)
def test_text_gets_its_one_spelling(raw: str, clean: str) -> None:
    assert normalise(raw) == clean
    assert normalise(clean) == clean
