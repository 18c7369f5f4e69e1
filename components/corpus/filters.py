"""The rules that reject documents: one predicate and one row of the table for each reason.

The rules of Gopher (Rae et al. 2021, appendix A) that hold for English and Chinese alike.
"""

from __future__ import annotations

from collections.abc import Callable

from components.corpus.config import CurateConfig


def is_empty(text: str, config: CurateConfig) -> bool:
    return not text


def is_too_short(text: str, config: CurateConfig) -> bool:
    return len(text) < config.min_characters


def is_too_long(text: str, config: CurateConfig) -> bool:
    return len(text) > config.max_characters


def has_few_letters(text: str, config: CurateConfig) -> bool:
    wanted = config.min_letter_share * len(text)
    words = text.split()
    spaces = len(text) - sum(map(len, words))
    # Words of letters alone are mostly enough; character by character it takes five times as long.
    if spaces + sum(len(word) for word in words if word.isalpha()) >= wanted:
        return False
    return spaces + sum(map(str.isalpha, text)) < wanted


def repeats_lines(text: str, config: CurateConfig) -> bool:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return len(lines) - len(set(lines)) > config.max_repeated_line_share * len(lines)


FILTERS: dict[str, Callable[[str, CurateConfig], bool]] = {
    "empty": is_empty,
    "too_short": is_too_short,
    "too_long": is_too_long,
    "few_letters": has_few_letters,
    "repeated_lines": repeats_lines,
}


def reason_to_reject(text: str, config: CurateConfig) -> str | None:
    """The first reason in the table's order, or None for a document to keep."""
    return next((name for name, rejects in FILTERS.items() if rejects(text, config)), None)
