"""One spelling for one text."""

from __future__ import annotations

import pytest

from components.corpus.normalise import normalise, normalise_code


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


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("\ufeff\n  \n    if x:\r\n\treturn\f\n\n", "    if x:\n\treturn"),
        ("e = 'cafe\u0301\u200b\x1b[0m'", "e = 'cafe\u0301\u200b\x1b[0m'"),
        ("a\x00\ud800b", "ab"),
    ],
)
def test_source_code_keeps_its_indentation_and_every_character_that_a_file_may_hold(raw: str, clean: str) -> None:
    assert normalise_code(raw) == clean
    assert normalise_code(clean) == clean
