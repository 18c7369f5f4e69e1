"""Rejects texts with many words of a list: toxic or otherwise unwanted words.

No list is shipped. A list is a file under data/: one word or phrase in a line; # begins a comment.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from components.corpus.lines import lines_of
from components.corpus.record import reason_of
from components.corpus.shingles import SPACELESS, UNIT
from components.errors import DataError


@lru_cache(maxsize=8)
def read_word_lists(paths: tuple[str, ...]) -> re.Pattern[str] | None:
    """One pattern for all words of the files, with word boundaries only where words have spaces. Raises DataError."""
    words: set[str] = set()
    for path in paths:
        found = _words(Path(path))
        if not found:
            raise DataError(
                f"{path}: no words", "write one word or phrase on each line, or remove it from curate.word_lists"
            )
        words |= found
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


def _words(path: Path) -> set[str]:
    try:
        with path.open("rb") as stream:
            lines = [line for _, line in lines_of(path, stream)]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", "curate.word_lists in params.yaml names it") from None
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read: {reason_of(error)}", "curate.word_lists in params.yaml names it"
        ) from None
    return {word for line in lines if (word := line.partition("#")[0].strip().casefold())}


def _pattern(word: str) -> str:
    """A word ends at any character that is not a letter; a Han character needs no boundary."""
    spaceless = re.compile(f"[{SPACELESS}]")
    before = "" if spaceless.match(word[0]) else r"(?<!\w)"
    after = "" if spaceless.match(word[-1]) else r"(?!\w)"
    return f"{before}{re.escape(word)}{after}"
