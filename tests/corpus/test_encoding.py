"""Wrongly decoded text is put right where it can be, known for lost where not, and sound text is left alone."""

from __future__ import annotations

import pytest

from components.corpus.encoding import (
    compared_form,
    fingerprint,
    is_lost,
    mark_of,
    normalise,
    normalise_code,
    repaired,
    without_replacements,
)
from components.corpus.personal_data import KINDS, scrubbed

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


MAIL = "Write to ahab@pequod.example.org, or call +44 20 7946 0958, the captain said."


@pytest.mark.parametrize(
    ("one", "another"),
    [
        (MAIL, "Write to <EMAIL>, or call <PHONE>, the captain said."),
        (MAIL, scrubbed(MAIL, ["phone"])[0]),
        ("the café’s door", "the cafÃ©â€™s door"),
        ("words with\u200b a gap", "words with a gap"),
        ("lost \ufffdbytes", "lost bytes"),
        (" one\r\ntwo ", "one\ntwo"),
    ],
)
def test_copies_that_were_put_right_or_scrubbed_are_the_same(one: str, another: str) -> None:
    assert fingerprint(one) == fingerprint(another)


def test_other_words_another_case_and_other_spaces_are_other_texts() -> None:
    assert len({fingerprint(text) for text in ("a b", "A b", "a  b", "a c", "")}) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_the_form_of_a_form_is_itself(kind: str) -> None:
    form = compared_form(scrubbed(MAIL, [kind])[0])
    assert compared_form(form) == form
    assert mark_of(form) == fingerprint(MAIL)
    assert len(mark_of(form)) == 16
