"""Parameters of the corpus: its sources, curation and validation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from components.corpus.language_codes import MIXED, language_codes
from components.sections import Count, Fraction, Section, Share

Length = Annotated[int, Field(ge=2, strict=False)]  # as a key: JSON turns its numbers to text
Scrubbed = Literal[
    "email", "phone", "ip_address", "credit_card", "social_security_number", "iban", "resident_identity_number"
]


class LanguageConfig(Section):
    """The quality rules of one language; their units are words, or characters where it is written without spaces.

    Gopher (Rae et al. 2021, appendix A), C4 (Raffel et al. 2020), FineWeb (Penedo et al. 2024). The rules on n-grams
    hold for texts of min_repetition_units and more; *_n_grams: n -> largest share of the characters.
    """

    unit: Literal["word", "character"]
    min_units: Count
    max_run: Count
    mean_unit_length: Annotated[list[float], Field(min_length=2, max_length=2)]
    min_alphabetic_share: Share
    max_symbol_share: Annotated[float, Field(ge=0)]
    max_bullet_line_share: Share
    max_ellipsis_line_share: Share
    stop_words: list[str]
    min_stop_words: Annotated[int, Field(ge=0)]
    min_repetition_units: Count
    top_n_grams: dict[Length, Share]
    duplicate_n_grams: dict[Length, Share]
    min_punctuated_line_share: Share
    max_short_line_share: Share
    short_line: Count
    max_line_breaks: Annotated[float, Field(ge=0)]
    boilerplate: list[str]
    held_out_n_gram: Count


class CurateConfig(Section):
    """Filters and changes of documents; lengths in characters."""

    min_characters: Count
    max_characters: Count
    min_letter_share: Share
    max_repeated_line_share: Share
    max_boilerplate_line_share: Share
    max_replacement_share: Share
    min_language_score: Share
    word_lists: list[str]
    max_listed_words: Annotated[int, Field(ge=0)]
    max_listed_share: Share
    scrub: list[Scrubbed]
    scrub_labelled: bool
    near_duplicate_similarity: Annotated[float, Field(ge=0.3, le=1)]
    min_held_out_overlap: Annotated[float, Field(gt=0, le=1)]
    max_held_out_documents: Annotated[int, Field(ge=0)]
    validation_fraction: Fraction
    languages: Annotated[dict[str, LanguageConfig], Field(min_length=1)]

    @model_validator(mode="after")
    def _ordered(self) -> CurateConfig:
        if self.min_characters > self.max_characters:
            raise ValueError("min_characters is larger than max_characters")
        outside = [path for path in self.word_lists if not path.startswith("data/") or ".." in path.split("/")]
        if outside:
            raise ValueError(f"word_lists: {outside[0]} is not a file under data/")
        return self


class ValidateConfig(Section):
    """The thresholds of the Great Expectations suites.

    length_quantiles: [quantile, least, most] of the documents' characters; max_drift: population stability index.
    """

    min_documents: Count
    length_quantiles: list[Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=3, max_length=3)]]
    min_language_share: Share
    min_class_share: Share
    max_null_share: Share
    max_duplicate_share: Share
    max_personal_data_share: Share
    max_label_conflict_share: Share
    accepted: str | None
    max_drift: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _quantiles(self) -> ValidateConfig:
        for quantile, least, most in self.length_quantiles:
            if quantile > 1 or least > most:
                raise ValueError(f"length_quantiles: [{quantile:g}, {least:g}, {most:g}]: not [0 to 1, least, most]")
        return self


class SourceConfig(Section):
    """A source of the corpus, data/corpus/NAME.*; weight: how often the model meets each of its documents.

    language: its one language (`code` for source code), a list of several, or `mixed`: each document by its own.
    """

    weight: Annotated[float, Field(ge=0, le=100)]
    language: str | list[str]
    licence: str

    @field_validator("language", mode="before")
    @classmethod
    def _codes(cls, given: object) -> object:
        """The languages by the codes that curation uses, whatever spelling params.yaml has."""
        if not isinstance(given, str) and not (isinstance(given, list) and all(isinstance(one, str) for one in given)):
            raise ValueError(
                f"{given!r:.80} is not a language: expected a code such as en, a list such as [en, zh], or mixed"
            )
        codes = list(language_codes(given))
        return codes[0] if len(codes) == 1 else codes or MIXED
