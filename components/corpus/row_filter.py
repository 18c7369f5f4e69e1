"""Filter one text: repair and normalise it, identify its language, keep or reject it, and remove personal data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from components.corpus import encoding, personal_data, quality, source_code
from components.corpus.config import CurateConfig, LanguageConfig
from components.corpus.encoding import compared_form, normalise, normalise_code, plain, plain_code
from components.corpus.filters import FILTERS, reason_to_reject
from components.corpus.language import LANGUAGES, identify
from components.corpus.language_codes import CODE, language_codes
from components.corpus.quality import Rules
from components.corpus.word_lists import is_listed, read_word_lists
from components.errors import ParameterError

REASONS = tuple(dict.fromkeys([*FILTERS, "broken_encoding", "wrong_language", *quality.REASONS, "word_list"]))
RULES_FOR_CODE = ("empty", "too_short", "too_long")
"""The FILTERS that apply to source code; the others are for prose."""
CHANGES = (*encoding.CHANGES, *personal_data.CHANGES)


@dataclass(frozen=True)
class FilteredRow:
    """A text after all filters; `changes` are of CHANGES, `reason` is one of REASONS, or None for a text to keep.

    `form`: its compared form, as `encoding.compared_form` gives it.
    """

    text: str
    language: str
    changes: tuple[str, ...]
    reason: str | None
    form: str


class RowFilter:
    """Filters texts one by one, each by itself. Models and rules are loaded on first use, once a process."""

    def __init__(self, config: CurateConfig, languages: Mapping[str, str | Sequence[str]]) -> None:
        """languages: source -> the claim of params.yaml: a language, several, or `mixed`. Raises ParameterError,
        DataError.
        """
        self._languages = {source: language_codes(given) for source, given in languages.items()}
        for source, codes in sorted(self._languages.items()):
            if unknown := [code for code in codes if code not in (*config.languages, *CODE)]:
                known = ", ".join(config.languages)
                raise ParameterError(
                    f"corpus.{source}: no quality rules for the language '{unknown[0]}'",
                    f"curate.languages has {known}: add a section '{unknown[0]}' there",
                )
        self._config = config
        self._written = {name: rules.model_dump_json() for name, rules in config.languages.items()}
        self._words = read_word_lists(tuple(config.word_lists))

    def apply(self, text: str, claimed: str, source: str) -> FilteredRow:
        """claimed: the language that the row itself names, or several separated by commas, or ""."""
        config = self._config
        given, claims = text, self._claims(claimed, source)
        code = _code_language(text, claims)
        text, changes, spared = (normalise_code(text), [], True) if code else _cleaned(text)
        bare, replacements = encoding.without_replacements(text)
        broken = replacements > max(1, config.max_replacement_share * len(text)) or encoding.is_lost(text)
        if replacements and not broken and not code:
            text = bare.strip()
            changes.append("replacements_removed")
        language = code or identify(text, claims, config.min_language_score)
        reason = self._reason(text, language, claims, broken)
        # The compared form is spared nothing as code: copies are found, whatever was taken for code in them.
        form = compared_form(given) if spared else personal_data.scrubbed(bare.strip(), personal_data.KINDS)[0]
        if reason is None and form != text:
            text, scrubbed = personal_data.scrubbed_around_code(text, config.scrub, bool(code))
            changes += scrubbed
        return FilteredRow(text, language, tuple(changes), reason, form)

    def _claims(self, claimed: str, source: str) -> tuple[str, ...]:
        """What the row says goes before what params.yaml says of its source, and that before the source's name."""
        if claims := language_codes(claimed):
            return claims
        if source in self._languages:
            return self._languages[source]
        ending = source.rpartition("_")[2]
        return (ending,) if ending in LANGUAGES else ()

    def _reason(self, text: str, language: str, claims: tuple[str, ...], broken: bool) -> str | None:
        config = self._config
        if broken:
            return "broken_encoding"
        if language in CODE:
            return next((name for name in RULES_FOR_CODE if FILTERS[name](text, config)), None)
        if found := reason_to_reject(text, config):
            return found
        if (claims and language not in claims) or language not in config.languages:
            return "wrong_language"
        if is_listed(text, self._words, config.max_listed_words, config.max_listed_share):
            return "word_list"
        return _rules(
            self._written[language], config.max_repeated_line_share, config.max_boilerplate_line_share
        ).reason(text)


def _cleaned(text: str) -> tuple[str, list[str], bool]:
    """A text repaired and normalised, the CHANGES that were made, and whether any part was kept as source code."""
    repaired, changes = encoding.repaired(text)
    clean = normalise(repaired)
    if clean == text.rstrip() or not source_code.holds_code(text):
        return clean, changes, False
    found: dict[str, None] = {}
    cleaned = []
    for part, code in source_code.parts(text):
        if code:
            cleaned.append(plain_code(part))
        else:
            right, changes = encoding.repaired(part)
            found |= dict.fromkeys(changes)
            cleaned.append(plain(right))
    whole = "".join(cleaned)
    return normalise_code(whole) if source_code.looks_like_code(text) else whole.strip(), list(found), True


def _code_language(text: str, claims: tuple[str, ...]) -> str:
    """The programming language that the claims name, or ""; with several claims, only where the text looks like
    code.
    """
    code = next((claim for claim in claims if claim in CODE), "")
    return code if len(claims) == 1 or (code and source_code.looks_like_code(text)) else ""


@lru_cache(maxsize=16)
def _rules(config: str, max_repeated_line_share: float, max_boilerplate_line_share: float) -> Rules:
    return Rules(LanguageConfig.model_validate_json(config), max_repeated_line_share, max_boilerplate_line_share)
