"""What a row says comes before its file's name, and that before its script."""

from __future__ import annotations

import pytest

from components.corpus.language import han_share, language_of, script_language


@pytest.mark.parametrize(
    ("text", "claimed", "source", "language"),
    [
        ("plain words", "zh", "poems_en", "zh"),
        ("plain words", "ZH-Hant", "poems_en", "zh"),
        ("plain words", "", "poems_zh", "zh"),
        ("白日依山盡", "", "poems", "zh"),
        ("plain words", "", "poems_fr", "en"),
        ("白日依山盡 (a poem)", "", "zh", "zh"),
    ],
)
def test_language_is_found(text: str, claimed: str, source: str, language: str) -> None:
    assert language_of(text, claimed, source) == language


def test_rare_han_characters_count_as_han() -> None:
    assert han_share("𠀀㐀豈") == 1.0


def test_text_without_letters_has_no_han() -> None:
    assert han_share("123 !?") == 0.0
    assert script_language("123") == "en"
