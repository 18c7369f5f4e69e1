"""A language has one code, however it was named."""

from __future__ import annotations

import pytest

from components.corpus.language_codes import CODE, language_codes


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ("en", "en"),
        ("ENG", "en"),
        ("eng_Latn", "en"),
        ("en-US", "en"),
        ("English", "en"),
        ("英语", "en"),
        ("英文", "en"),
        ("__label__eng_Latn", "en"),
        ("zho", "zh"),
        ("chi", "zh"),
        ("cmn_Hani", "zh"),
        ("zh-Hant-TW", "zh"),
        ("zh_CN.UTF-8", "zh"),
        ("Chinese", "zh"),
        ("Traditional Chinese", "zh"),
        ("Mandarin", "zh"),
        ("简体中文", "zh"),
        ("lzh", "zh"),
        ("yue", "zh"),
        ("deu_Latn", "de"),
        ("iw", "he"),
        ("C++", "cpp"),
        ("Python", "python"),
        ("code", "code"),
        ("Klingonish", "klingonish"),
        ("en, zho", "en zh"),
        ("['eng_Latn', 'cmn_Hani']", "en zh"),
        (["eng_Latn", "English", "zh"], "en zh"),
        (("und", "zh"), "zh"),
    ],
)
def test_a_language_has_one_code(given: object, codes: str) -> None:
    assert language_codes(given) == tuple(codes.split())


@pytest.mark.parametrize(
    "given", ["", "und", "mul", "zxx", "unknown", "N/A", "mixed", None, float("nan"), [], ["und"], 3]
)
def test_no_language_in_particular_has_none(given: object) -> None:
    assert language_codes(given) == ()


@pytest.mark.parametrize("code", ["en", "zh", "de", *sorted(CODE)])
def test_a_code_stands_for_itself(code: str) -> None:
    assert language_codes(code) == (code,)
