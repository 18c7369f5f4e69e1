"""Texts cut into words, as methods that count words or look them up need them; and into sentences."""

from __future__ import annotations

import re

_ALONE = "\u2e80-\u2fdf\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_ALONE}]|(?:(?![{_ALONE}])\w)+")
_SENTENCE_END = re.compile(r"(?<=[.!?][\"'”’)\]])\s+|(?<=[.!?])\s+|(?<=[。！？][”’」』）])|(?<=[。！？])(?![”’」』）])")


def words(text: str) -> list[str]:
    """Runs of letters and digits, in lower case; of Chinese and Japanese each character is a word."""
    return [word.lower() for word in _WORD.findall(text)]


def sentences(text: str) -> list[str]:
    """Cut behind `.`, `!` and `?` where a blank follows, and behind `。`, `！` and `？`, closing quotes included. It
    knows no abbreviations."""
    return [sentence.strip() for sentence in _SENTENCE_END.split(text) if sentence and sentence.strip()]


def lead(text: str, count: int = 1) -> str:
    """The first sentences: the baseline of summarization, which is hard to beat on news (Nenkova 2005; See et al.
    2017)."""
    ends = [found.start() for found in _SENTENCE_END.finditer(text)]
    return text[: ends[count - 1]].strip() if len(ends) >= count else text.strip()
