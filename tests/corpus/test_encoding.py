"""Wrongly decoded text is put right where it can be, known for lost where not, and sound text is left alone."""

from __future__ import annotations

import pytest

from components.corpus.encoding import is_lost, repaired, without_replacements

FRENCH = "It’s a café – déjà vu, naïve…"
# No byte of it is 0x80, and it has an even number of characters: read as GBK it loses nothing.
CHINESE = "山明水秀，風和日麗！春江花月夜，"


@pytest.mark.parametrize(
    ("broken", "right"),
    [
        (FRENCH.encode().decode("cp1252"), FRENCH),
        (FRENCH.encode().decode("latin-1"), FRENCH),
        (CHINESE.encode().decode("gb18030"), CHINESE),
        ("今天天气很好，我们去公园散步。".encode("gb2312").decode("latin-1"), "今天天气很好，我们去公园散步。"),
        ("fish &amp; chips &#8211; &lt;3", "fish & chips – <3"),
        ("\x1b[31mred\x1b[0m words", "red words"),
    ],
)
def test_wrong_decoding_is_undone(broken: str, right: str) -> None:
    assert repaired(broken) == (right, ["encoding_repaired"])


@pytest.mark.parametrize(
    "sound",
    [
        FRENCH,
        CHINESE,
        "Plain words & signs; 3 < 4.",
        "白日依山盡，黃河入海流。",
        "Ça coûte 20 €, Ærøskøbing, Łódź",
        "Ελληνικά και Русский",
        "می‌خواهم",
        "👩‍🔬 and क्‍ष",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿 beat 🏴󠁧󠁢󠁳󠁣󠁴󠁿, not 🏴󠁧󠁢󠁷󠁬󠁳󠁿; ❤️‍🔥🏳️‍🌈",
        "英格兰🏴󠁧󠁢󠁥󠁮󠁧󠁿对威尔士🏴󠁧󠁢󠁷󠁬󠁳󠁿",
        "",
    ],
)
def test_sound_text_is_left_alone(sound: str) -> None:
    assert repaired(sound) == (sound, [])
    assert not is_lost(sound)


@pytest.mark.parametrize(
    ("text", "clean", "change"),
    [
        ("zero\u200bwidth", "zerowidth", "invisible_removed"),
        ("a\u202eb\u202cc\u2066d\u2069", "abcd", "invisible_removed"),
        ("白\u200d日\u200c", "白日", "invisible_removed"),
        ("soft\xadhyphen", "softhyphen", "invisible_removed"),
        ("be\x07ll", "bell", "controls_removed"),
        ("hidden \U000e0048\U000e0069 tags \U0001f3f4\U000e0067", "hidden  tags \U0001f3f4", "invisible_removed"),
    ],
)
def test_what_no_reader_sees_goes(text: str, clean: str, change: str) -> None:
    assert repaired(text) == (clean, [change])


def test_replacement_characters_are_counted_and_taken_out() -> None:
    assert without_replacements("caf\ufffd \ue000x") == ("caf x", 2)
    assert without_replacements("plain") == ("plain", 0)


def test_chinese_that_lost_bytes_is_known() -> None:
    assert is_lost("白日依山盡，黃河入海流。欲窮千里目，更上一層樓。".encode().decode("gb18030", "replace"))
