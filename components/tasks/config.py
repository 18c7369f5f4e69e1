"""Parameters of a labelled task."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from components.corpus.language_codes import language_codes
from components.sections import Section
from components.tasks.kinds import KINDS, nearest


class TaskConfig(Section):
    """A labelled task under data/tasks/NAME; max_length in tokens."""

    kind: str
    language: Literal["en", "zh"]
    max_length: Annotated[int, Field(ge=8)]

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"no task kind {kind!r:.100}; {nearest(kind)}")
        return kind

    @field_validator("language", mode="before")
    @classmethod
    def _one_code(cls, given: object) -> object:
        """`eng_Latn`, `zho` and `Chinese` are known as well."""
        codes = language_codes(given)
        return codes[0] if len(codes) == 1 else given
