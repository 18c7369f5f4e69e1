"""The sample data's poems in one script and one way of punctuation, whichever edition a poem was taken from.

The source has the forms from several editions, so script, signs and notes would tell a form where its words and its
metre should.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import opencc

Row = dict[str, Any]

MIN_CHARACTERS = 8
"""Shorter remains are pieces of a poem, of which only a note was left."""

_NOTES = re.compile(r"（[^（）]*）|\([^()]*\)|［[^［］]*］|〖[^〖〗]*〗|〔[^〔〕]*〕")
_MARKS = re.compile(r"[「」『』“”\"《》\s]")
_PAUSES = re.compile(r"[，、：]+")
_STOPS = re.compile(r"[，。？！；]*[。？！；][，。？！；]*")
# No more than Chinese characters, pauses and stops. 囗 stands for a lost character; 忄 and its like are pieces of one.
_WHOLE = re.compile(r"(?:(?![囗忄扌亻刂氵灬纟讠钅饣])[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af，。])+")


def alike(poems: Iterable[Row]) -> Iterator[Row]:
    """Rows with `title`, `author` and `text` in simplified characters, `text` with one sentence a line.

    Poems with damaged characters are left out, and so is what differs from an earlier poem in signs alone.
    """
    seen: set[str] = set()
    for row in poems:
        text = verses(row["text"])
        characters = re.sub(r"[，。\n]", "", text)
        if len(characters) >= MIN_CHARACTERS and characters not in seen:
            seen.add(characters)
            yield {**row, **{name: simplified(row[name]) for name in ("title", "author")}, "text": text}


def verses(text: str) -> str:
    """A poem in simplified characters, without editors' notes, with ， and 。 alone; empty where it is damaged."""
    text = simplified(text)
    while (bare := _NOTES.sub("", text)) != text:
        text = bare
    text = _STOPS.sub("。", _PAUSES.sub("，", _MARKS.sub("", text))).strip("，。") + "。"
    return text.replace("。", "。\n").strip() if _WHOLE.fullmatch(text) else ""


def simplified(text: str) -> str:
    """Simplified characters, each in its standard form: OpenCC converts scripts, and leaves variants (疎 for 疏)."""
    # tw2s is t2s with 著 as 着 where it is no word of writing.
    return str(_converter().convert(text)).translate(_standard())


@cache
def _converter():  # type: ignore[no-untyped-def]  # opencc has no types
    return opencc.OpenCC("tw2s")


@cache
def _standard() -> dict[int, str]:
    lines = Path(__file__).with_name("variants_in_chinese.txt").read_text("utf-8").splitlines()
    return {ord(variant): standard for standard, variants in map(str.split, lines) for variant in variants}
