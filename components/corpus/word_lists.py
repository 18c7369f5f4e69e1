"""Rejects texts with many words of a list: toxic or otherwise unwanted words.

No list is shipped. A list is a file under data/: one word or phrase in a line; # begins a comment.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from components.corpus.lines import listed_words
from components.corpus.shingles import SPACELESS, UNIT


@lru_cache(maxsize=8)
def read_word_lists(paths: tuple[str, ...]) -> re.Pattern[str] | None:
    """One pattern for all words of the files, with word boundaries only where words have spaces. Raises DataError."""
    words = {word.casefold() for path in paths for word in listed_words(Path(path), "curate.word_lists")}
    if not words:
        return None
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.compile("|".join(map(_pattern, longest_first)))


def is_listed(text: str, words: re.Pattern[str] | None, most: int, share: float) -> bool:
    """Whether a text has more than `most` listed words, and they are more than that share of its units."""
    if words is None:
        return False
    found = words.findall(text.casefold())
    if len(found) <= most:
        return False
    return sum(len(UNIT.findall(word)) for word in found) > share * len(UNIT.findall(text))


def _pattern(word: str) -> str:
    """A word ends at any character that is not a letter; a Han character needs no boundary."""
    spaceless = re.compile(f"[{SPACELESS}]")
    before = "" if spaceless.match(word[0]) else r"(?<!\w)"
    after = "" if spaceless.match(word[-1]) else r"(?!\w)"
    return f"{before}{re.escape(word)}{after}"
