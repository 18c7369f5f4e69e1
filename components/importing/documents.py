"""Rows of a source as documents of the corpus: text, id, language, licence, and provenance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from components.corpus.language import LANGUAGES, identify
from components.corpus.language_codes import CODE, MIXED, language_codes
from components.corpus.lines import MAX_LINE_BYTES
from components.corpus.record import Record, kind_of
from components.errors import DataError
from components.importing.source import Source

_SAMPLE = {"documents": 400, "characters": 200}
_MIN_SHARE = 0.02
"""The share of the documents in a language from which the source counts as having it; less may be quotations, or wrong
guesses.
"""
_MIN_SCORE = 0.5
_COLUMNS = ("id", "language", "licence", "license", "title")
_ROOM = 1024 * 1024
"""The largest number of bytes of a line for other columns and JSON's quoting."""


def columns_used(text_column: str, id_column: str | None) -> tuple[str, ...]:
    """The columns of a source that become documents, the text's first."""
    return (text_column, *_COLUMNS, *([id_column] if id_column else []))


@dataclass
class Documents:
    """The documents of a source, and their counts so far; `language` and `licence` fill gaps.

    language: one or several, as `language_codes` reads them. languages: documents by the claim of their row, "" for
    none. sample: beginnings of documents without a claim, from all over the source.
    """

    source: Source
    text_column: str = "text"
    id_column: str | None = None
    language: str | None = None
    licence: str | None = None
    characters: int = 0
    sample: list[str] = field(default_factory=list)
    languages: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    _stride: int = 1

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Raises DataError naming a row whose columns are wrong."""
        for record in self.source.records:
            text = self._text(record)
            if not text.strip():
                self.skipped["empty"] += 1
            elif len(text.encode(errors="replace")) > MAX_LINE_BYTES - _ROOM:
                self.skipped["too long"] += 1
            else:
                yield self._document(record, text)

    def _document(self, record: Record, text: str) -> dict[str, Any]:
        fields = record.fields
        language = ",".join(language_codes(fields.get("language"))) or self._only_language()
        licence = _short(fields.get("licence")) or _short(fields.get("license")) or self.licence
        extra = {"title": _short(fields.get("title")), "language": language, "licence": licence}
        self._count(text, language)
        document = {"id": self._id(record), "text": text, "provenance": self.source.provenance(record)}
        return document | {name: value for name, value in extra.items() if value}

    def _only_language(self) -> str:
        """The language of documents that name none; "" where there are several."""
        codes = language_codes(self.language)
        return codes[0] if len(codes) == 1 else ""

    def _count(self, text: str, language: str) -> None:
        self.characters += len(text)
        self.languages[language] += 1
        if language or self.languages[""] % self._stride:
            return
        self.sample.append(text[: _SAMPLE["characters"]])
        if len(self.sample) == _SAMPLE["documents"]:
            # Every other one goes: in the end they stand evenly over the source, however long it is.
            self.sample, self._stride = self.sample[1::2], 2 * self._stride

    def source_language(self) -> str | list[str]:
        """The language for the source in params.yaml: the given one, or that of its documents, or several.

        Documents without a claim count with the language that curation identifies. A list has only languages that
        curation knows.
        """
        if self.language is not None:
            codes = list(language_codes(self.language))
            return codes[0] if len(codes) == 1 else codes or MIXED
        found = self._counted()
        spoken = Counter({code: count for code, count in found.items() if code not in CODE}) or found
        known = [code for code, _ in spoken.most_common() if code in LANGUAGES]
        several = [code for code in known if spoken[code] >= _MIN_SHARE * spoken.total()]
        if len(several) > 1:
            return several
        return spoken.most_common(1)[0][0] if spoken else LANGUAGES[0]

    def _counted(self) -> Counter[str]:
        """Documents by language, claimed or guessed."""
        found: Counter[str] = Counter()
        for claimed, count in self.languages.items():
            found.update(dict.fromkeys(filter(None, claimed.split(",")), count))
        guessed = Counter(identify(text, (), _MIN_SCORE) for text in self.sample)
        for code, count in guessed.items():
            found[code] += max(1, round(count / len(self.sample) * self.languages[""]))
        return found

    def _text(self, record: Record) -> str:
        value = self._field(record, self.text_column, "--text-column")
        if value is not None and not isinstance(value, str):
            raise DataError(f"{self._place(record)}: '{self.text_column}' is {kind_of(value)}, not text")
        return value or ""

    def _id(self, record: Record) -> str:
        if not self.id_column:
            return record.name
        self._field(record, self.id_column, "--id-column")
        return record.named_by(self.id_column)

    def _field(self, record: Record, column: str, option: str) -> Any:
        if column not in record.fields:
            found = ", ".join(map(str, (*record.fields, *record.unread))) or "none"
            raise DataError(
                f"{self._place(record)}: no column '{column}'", f"its columns: {found}; choose with {option}"
            )
        return record.fields[column]

    def _place(self, record: Record) -> str:
        return self.source.provenance(record)


def _short(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
