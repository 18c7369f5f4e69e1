from __future__ import annotations

import pytest

from components.evaluation.baselines.words import lead, sentences, words


def test_words_are_runs_of_letters_and_digits_and_chinese_characters_stand_alone() -> None:
    assert words("Call me Ishmael, 3 times.") == ["call", "me", "ishmael", "3", "times"]
    assert words("床前明月light 2光") == ["床", "前", "明", "月", "light", "2", "光"]
    assert words(" … ") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("He came. She saw! Who won?", ["He came.", "She saw!", "Who won?"]),
        ("It costs 3.50 now. Good.", ["It costs 3.50 now.", "Good."]),
        ('"Stop." He did.', ['"Stop."', "He did."]),
        ("他來了。她說：「看！」誰贏？", ["他來了。", "她說：「看！」", "誰贏？"]),
        ("no end", ["no end"]),
        ("", []),
    ],
)
def test_sentences_end_at_their_marks(text: str, found: list[str]) -> None:
    assert sentences(text) == found


def test_the_lead_is_the_first_sentences() -> None:
    assert lead("He came. She saw! Who won?") == "He came."
    assert lead("He came. She saw! Who won?", 2) == "He came. She saw!"
    assert lead("他來了。她看！誰贏？", 2) == "他來了。她看！"
    assert lead("") == ""
