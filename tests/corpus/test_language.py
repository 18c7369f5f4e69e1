"""A text's language is told by its script, then by a model; a claim gives way only to much better evidence."""

from __future__ import annotations

import socket

import pytest

from components.corpus.language import _detector, han_share, identify, script_language


def test_rare_han_characters_count_as_han() -> None:
    assert han_share("𠀀㐀豈") == 1.0


def test_text_without_letters_has_no_han() -> None:
    assert han_share("123 !?") == 0.0
    assert script_language("123") == "en"


ENGLISH = "The captain of the vessel walked along the harbour in the morning."
GERMAN = "Der alte Fischer ging jeden Morgen zum Hafen und erzählte von den Stürmen."


@pytest.mark.parametrize(
    ("text", "claimed", "language"),
    [
        (ENGLISH, "en", "en"),
        (ENGLISH, "zh", "en"),
        (ENGLISH.upper(), "en", "en"),
        (GERMAN, "en", "de"),
        (GERMAN, "", "de"),
        ("男不封侯女作妃，君看女却是門楣。", "zh", "zh"),
        ("男不封侯女作妃，君看女却是門楣。", "en", "zh"),
        ("音書杜絕白狼西，桃李無顏黃鳥嗁。", "", "zh"),
        ("使用Python的requests庫下載網頁，然後解析JSON", "zh", "zh"),
        ("年老いた漁師は毎朝港へ行きました。", "zh", "ja"),
        ("늙은 어부는 매일 아침 항구로 갔다.", "en", "ko"),
        ("Ave Maria", "en", "en"),
        ("1234 5678", "zh", "zh"),
        ("1234 5678", "", "en"),
    ],
)
def test_language_is_identified_by_script_and_model(text: str, claimed: str, language: str) -> None:
    assert identify(text, [claimed] if claimed else [], 0.5) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [(ENGLISH, "en"), (GERMAN, "de"), ("男不封侯女作妃，君看女却是門楣。", "zh"), ("Ave Maria", "en"), ("1234", "zh")],
)
def test_of_several_claimed_languages_a_text_is_in_one(text: str, language: str) -> None:
    assert identify(text, ["zh", "en"], 0.5) == language


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    _detector.cache_clear()
    assert identify(GERMAN, ["en"], 0.5) == "de"
