"""The quality rules of a language: Gopher (Rae et al. 2021), FineWeb (Penedo et al. 2024), C4 (Raffel et al. 2020).

datatrove's own blocks decide, with this module's word splitting (or characters) instead of spaCy's, and with the
thresholds of params.yaml. C4QualityFilter rewrites the text that it checks, so its rules are here.
"""

from __future__ import annotations

import re
from functools import partial

from datatrove.data import Document
from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.utils.word_tokenizers import WordTokenizer

from components.corpus.config import LanguageConfig

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
        self._long_run = re.compile(rf"\S{{{config.max_run + 1}}}")
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
        if self._long_run.search(text):
            return "long_run"
        lowered = text.lower()
        if found := self._c4(lowered):
            return found
        long = len(self._units.word_tokenize(text)) >= self._config.min_repetition_units
        repetition = self._repetition if long else self._repeated_lines
        # Stop words are small; nothing else that Gopher's quality rules count depends on case.
        for block, judged in ((self._quality, lowered), (self._lines, text), (repetition, text)):
            result = block.filter(Document(text=judged, id=""))
            if result is not True:
                return _name(result[1])
        return None

    def _c4(self, lowered: str) -> str | None:
        if "lorem ipsum" in lowered:
            return "lorem_ipsum"
        if self._boilerplate is None or not self._boilerplate.search(lowered):
            return None
        lines = [line for line in lowered.split("\n") if line.strip()]
        found = sum(bool(self._boilerplate.search(line)) for line in lines)
        return "boilerplate" if len(lines) > 1 and found > self._max_boilerplate * len(lines) else None


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
