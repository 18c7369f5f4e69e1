"""STUB until merged."""

from __future__ import annotations
from dataclasses import dataclass
from components.corpus.filters import FILTERS, reason_to_reject
from components.corpus.language import language_of
from components.corpus.normalise import normalise

REASONS = tuple(FILTERS)
CHANGES = ("normalised",)


@dataclass(frozen=True)
class Judgement:
    text: str
    language: str
    changes: tuple[str, ...]
    reason: str | None


class Judge:
    def __init__(self, config, languages):
        self.config = config
        self.languages = languages

    def judge(self, text, claimed, source):
        t = normalise(text)
        return Judgement(t, language_of(t, claimed, source), (), reason_to_reject(t, self.config))
