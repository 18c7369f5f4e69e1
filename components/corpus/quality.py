"""The quality rules of a language: Gopher (Rae et al. 2021), FineWeb (Penedo et al. 2024), C4 (Raffel et al. 2020).

datatrove's own blocks decide, with this module's word splitting (or characters) instead of spaCy's, and with the
thresholds of params.yaml. C4QualityFilter rewrites the text that it checks, so its rules are here.

A block looks at every word in Python. Whether a text certainly passes it is cheaper to tell: most texts do, and only
the others are handed to the block.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
from datatrove.data import Document
from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.utils.text import PUNCTUATION_SET, TERMINAL_PUNCTUATION
from datatrove.utils.word_tokenizers import WordTokenizer

from components.corpus.config import LanguageConfig
from components.corpus.shingles import Hashes, Runs

NAMES = {
    "gopher_short_doc": "few_words",
    "gopher_below_avg_threshold": "odd_word_lengths",
    "gopher_above_avg_threshold": "odd_word_lengths",
    "gopher_too_many_hashes": "symbols",
    "gopher_too_many_ellipsis": "symbols",
    "gopher_too_many_bullets": "bullets",
    "gopher_too_many_end_ellipsis": "ellipsis_lines",
    "gopher_below_alpha_threshold": "few_alphabetic_words",
    "gopher_enough_stop_words": "few_stop_words",
    "line_punct_ratio": "unpunctuated_lines",
    "short_line_ratio": "short_lines",
    "list_ratio": "list",
    "char_dup_ratio": "repeated_lines",
}
"""datatrove's name of a reason -> our name."""
REASONS = ("long_run", "lorem_ipsum", "boilerplate", "repeated_n_grams", *dict.fromkeys(NAMES.values()))
_PARAGRAPHS = re.compile(r"\n{2,}")
_LINES = re.compile(r"\n+")


class Units(WordTokenizer):
    """Words between white space, or every character except white space, instead of datatrove's tokenizers."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._by_character = unit == "character"

    def word_tokenize(self, text: str) -> list[str]:
        words = text.split()
        return list("".join(words)) if self._by_character else words

    def sent_tokenize(self, text: str) -> list[str]:
        raise NotImplementedError("none of the rules counts sentences")

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        raise NotImplementedError("none of the rules counts sentences")


class Rules:
    """The rules of one language; built once a process, since datatrove's blocks are slow to build."""

    def __init__(
        self, config: LanguageConfig, max_repeated_line_share: float, max_boilerplate_line_share: float
    ) -> None:
        self._config = config
        self._units = Units(config.unit)
        phrases = "|".join(re.escape(phrase.lower()) for phrase in config.boilerplate)
        self._boilerplate = re.compile(phrases) if phrases else None
        self._max_boilerplate = max_boilerplate_line_share
        self._quality = _gopher_quality(config, self._units)
        self._lines = _fineweb(config, self._units, max_repeated_line_share)
        repetition = partial(
            GopherRepetitionFilter,
            dup_line_frac=max_repeated_line_share,
            dup_para_frac=max_repeated_line_share,
            dup_line_char_frac=max_repeated_line_share,
            dup_para_char_frac=max_repeated_line_share,
            language=self._units,
        )
        self._repetition = repetition(
            top_n_grams=tuple(config.top_n_grams.items()), dup_n_grams=tuple(config.duplicate_n_grams.items())
        )
        self._repeated_lines = repetition(top_n_grams=(), dup_n_grams=())

    def reason(self, text: str) -> str | None:
        """The first of REASONS, or `repeated_lines`, for which a non-empty text is rejected."""
        if max(map(len, text.split()), default=0) > self._config.max_run:
            return "long_run"
        lowered = text.lower()
        if found := self._c4(lowered):
            return found
        words = self._units.word_tokenize(text)
        long = len(words) >= self._config.min_repetition_units
        repetition = self._repetition if long else self._repeated_lines
        # Stop words are small; nothing else that Gopher's quality rules count depends on case.
        for block, judged, passes in (
            (self._quality, lowered, passes_gopher(self._config, lowered, self._units.word_tokenize(lowered))),
            (self._lines, text, passes_fineweb(self._config, text, len(words))),
            (repetition, text, repeats_nothing(text) and not (long and self._may_repeat(text, words))),
        ):
            result = passes or block.filter(Document(text=judged, id=""))
            if result is not True:
                return _name(result[1])
        return None

    def _may_repeat(self, text: str, words: Sequence[str]) -> bool:
        return may_repeat_n_grams(words, len(text), self._config.top_n_grams, self._config.duplicate_n_grams)

    def _c4(self, lowered: str) -> str | None:
        if "lorem ipsum" in lowered:
            return "lorem_ipsum"
        if self._boilerplate is None or not self._boilerplate.search(lowered):
            return None
        lines = [line for line in lowered.split("\n") if line.strip()]
        found = sum(bool(self._boilerplate.search(line)) for line in lines)
        return "boilerplate" if len(lines) > 1 and found > self._max_boilerplate * len(lines) else None


def passes_gopher(config: LanguageConfig, text: str, words: Sequence[str]) -> bool:
    """Whether GopherQualityFilter keeps the text for certain. False says nothing."""
    others = [word for word in words if not word.isalpha()]
    signs = [word for word in others if PUNCTUATION_SET.issuperset(word)]
    if (count := len(words) - len(signs)) < max(1, config.min_units):
        return False
    alphabetic = len(words) - len(others) + sum(any(map(str.isalpha, word)) for word in others)
    length = (sum(map(len, words)) - sum(map(len, signs))) / count
    ellipses = text.count("...") + text.count("…")
    lines = text.splitlines()
    bullets = sum(line.lstrip().startswith(("•", "-")) for line in lines) if "•" in text or "-" in text else 0
    ends = sum(line.rstrip().endswith(("...", "…")) for line in lines) if ellipses else 0
    return (
        config.mean_unit_length[0] <= length <= config.mean_unit_length[1]
        and max(text.count("#"), ellipses) / len(words) <= config.max_symbol_share
        and bullets / len(lines) <= config.max_bullet_line_share
        and ends / len(lines) <= config.max_ellipsis_line_share
        and alphabetic / len(words) >= config.min_alphabetic_share
        and len(set(config.stop_words).intersection(words)) >= config.min_stop_words
    )


def passes_fineweb(config: LanguageConfig, text: str, words: int) -> bool:
    """Whether FineWebQualityFilter keeps a text of so many words for certain. False says nothing."""
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines or len(set(lines)) < len(lines):
        return False
    punctuated = sum(line[-1] in TERMINAL_PUNCTUATION for line in lines) / len(lines)
    short = sum(len(line) <= config.short_line for line in lines) / len(lines)
    return (
        (punctuated >= config.min_punctuated_line_share or punctuated == 0)
        and short <= config.max_short_line_share
        and text.count("\n") / words <= config.max_line_breaks
    )


def repeats_nothing(text: str) -> bool:
    """Whether no line and no paragraph stands twice, as GopherRepetitionFilter cuts them."""
    if "\n" not in text:
        return True
    return all(len(set(parts)) == len(parts) for parts in (_PARAGRAPHS.split(text.strip()), _LINES.split(text)))


def may_repeat_n_grams(
    words: Sequence[str], characters: int, top: dict[int, float], duplicate: dict[int, float]
) -> bool:
    """Whether more of a text's characters than the share given for an n may be in its most frequent n-gram (`top`), or
    in n-grams that stood before (`duplicate`). False is certain: n-grams with one hash count as equal.
    """
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    runs = Runs("".join(words), np.concatenate([[0], np.cumsum(lengths)]))
    for n in sorted({*top, *duplicate}):
        if n > len(words):
            continue
        hashes = runs.hashes(n)
        begins = _begins(np.sort(hashes))
        longest, most = runs.lengths(n).max(), np.diff(begins, append=len(hashes)).max()
        if n in top and most * (longest + n - 1) / characters > top[n]:
            return True
        again = len(hashes) - len(begins)
        if (
            n in duplicate
            and again * longest / characters > duplicate[n]
            and _covered(hashes, n, lengths) / characters > duplicate[n]
        ):
            return True
    return False


def _covered(hashes: Hashes, n: int, lengths: npt.NDArray[np.int64]) -> int:
    """The characters that n-grams cover that stood before. The block goes on behind each; here they may overlap."""
    order = np.argsort(hashes)
    again = np.ones(len(hashes), np.bool_)
    again[np.minimum.reduceat(order, _begins(hashes[order]))] = False
    change = np.zeros(len(lengths) + 1, np.int64)
    change[: len(again)] += again
    change[n:] -= again
    return int(lengths[np.cumsum(change[:-1]) > 0].sum())


def _begins(ordered: Hashes) -> npt.NDArray[np.int64]:
    """Where each run of equal hashes begins."""
    return np.flatnonzero(np.diff(ordered, prepend=~ordered[:1]))


def _name(reason: str) -> str:
    if "_gram" in reason:
        return "repeated_n_grams"
    return "repeated_lines" if reason.startswith("dup_") else NAMES[reason]


def _gopher_quality(config: LanguageConfig, units: Units) -> GopherQualityFilter:
    return GopherQualityFilter(
        min_doc_words=config.min_units,
        max_doc_words=None,
        min_avg_word_length=config.mean_unit_length[0],
        max_avg_word_length=config.mean_unit_length[1],
        max_symbol_word_ratio=config.max_symbol_share,
        max_bullet_lines_ratio=config.max_bullet_line_share,
        max_ellipsis_lines_ratio=config.max_ellipsis_line_share,
        max_non_alpha_words_ratio=config.min_alphabetic_share,
        min_stop_words=config.min_stop_words,
        stop_words=config.stop_words,
        language=units,
    )


def _fineweb(config: LanguageConfig, units: Units, max_repeated_line_share: float) -> FineWebQualityFilter:
    return FineWebQualityFilter(
        line_punct_thr=config.min_punctuated_line_share,
        line_punct_exclude_zero=True,
        short_line_thr=config.max_short_line_share,
        short_line_length=config.short_line,
        char_duplicates_ratio=max_repeated_line_share,
        new_line_ratio=config.max_line_breaks,
        language=units,
    )
