"""What the champion of a translation or summarization writes for each text, asked by `lianzi predict` as others are."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from components.tasks.kinds import task_of
from components.tasks.task import Text, parts

if TYPE_CHECKING:
    from components.runtime.generation.generator import Generator
    from components.tasks.task import Task


@dataclass(frozen=True)
class Written:
    """The text that answers a text."""

    answer: str

    def __str__(self) -> str:
        return " ".join(self.answer.splitlines())  # a line for each text

    def json(self) -> dict[str, Any]:
        return {"answer": self.answer}


class WrittenForm:
    """`blank`: the answer to a text without a character."""

    blank: Mapping[str, Any] = MappingProxyType({"answer": ""})


@dataclass(frozen=True)
class Writer:
    """A bundle that reads texts and writes others."""

    kind: Task
    generator: Generator
    form: ClassVar = WrittenForm

    def predict(self, texts: Sequence[Text]) -> list[Written]:
        """An answer to each text: its likeliest tokens one after the other, as they were evaluated."""
        from components.deployment.generation.written import generator_answers

        given = [text for row in texts for text in parts(row)]  # these kinds read one text a row
        return [Written(str(text)) for text in self.kind.values(generator_answers(self.kind, self.generator, given))]


def load_writer(bundle: Path) -> Writer:
    """Load a bundle's shipped rung, after checking every file's hash. Raises ArtifactError, EngineError."""
    from components.runtime.generation.generator import load_generator
    from components.runtime.manifest import read_bundle

    generator = load_generator(bundle, threads=os.cpu_count() or 1)
    return Writer(task_of(read_bundle(bundle)), generator)
