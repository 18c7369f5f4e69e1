"""components.analysis.perturbations."""

from __future__ import annotations

import numpy as np
import pytest

from components.analysis.perturbations import PERTURBATIONS, Change, contractions, more_punctuation, typos

TEXT = "The old harbour doesn't look much like a market, does it?"


def change(name: str, language: str = "en") -> Change:
    return PERTURBATIONS[name].changes[language]  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "language", "before", "after"),
    [
        ("lower_case", "en", "Old Ships", "old ships"),
        ("upper_case", "en", "Old Ships", "OLD SHIPS"),
        ("no_punctuation", "en", "Old, isn't it?", "Old isnt it"),
        ("no_punctuation", "zh", "好，真的！", "好真的"),
        ("more_punctuation", "zh", "好。真的", "好。。。真的。。。"),
        ("full_width", "en", "a b1!", "ａ ｂ１！"),
        ("traditional", "zh", "简体中文", "簡體中文"),
        ("simplified", "zh", "將名將利已無緣", "将名将利已无缘"),
    ],
)
def test_a_text_is_changed_as_the_name_says(name: str, language: str, before: str, after: str) -> None:
    assert change(name, language)(before, np.random.default_rng(0)) == after


def test_some_words_are_mistyped_and_the_same_ones_for_the_same_seed() -> None:
    found = typos(TEXT, np.random.default_rng(3))
    assert found == typos(TEXT, np.random.default_rng(3)) != TEXT
    assert sum(one != other for one, other in zip(found.split(), TEXT.split(), strict=True)) == 1


def test_a_chinese_typing_error_is_a_character_that_sounds_alike() -> None:
    found = change("typos", "zh")("他在学雪", np.random.default_rng(1))
    assert len(found) == 4
    assert found in ("她在学雪", "它在学雪", "他再学雪", "他载学雪", "他在雪雪", "他在学学", "他載学雪")


def test_contractions_go_both_ways() -> None:
    random = np.random.default_rng(0)
    assert contractions("I'm sure they can't", random) == "I am sure they cannot"
    assert contractions("it is not so", random) == "it isn't so"
    assert contractions("a harbour", random) == "a harbour"


def test_a_text_without_a_full_stop_gets_one() -> None:
    assert more_punctuation("an old ship. A wave", np.random.default_rng(0)) == "an old ship... A wave..."


@pytest.mark.parametrize("text", ["", "a", "12", "  ", "é", "𠀀的", "\n"])
def test_no_text_is_too_short_to_be_changed(text: str) -> None:
    for perturbation in PERTURBATIONS.values():
        for each in perturbation.changes.values():
            assert isinstance(each(text, np.random.default_rng(0)), str)


def test_what_changes_in_place_keeps_the_places() -> None:
    for perturbation in PERTURBATIONS.values():
        if perturbation.in_place:
            assert len(perturbation.changes["en"](TEXT, np.random.default_rng(0))) == len(TEXT)
