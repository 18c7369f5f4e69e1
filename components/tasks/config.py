"""Parameters of a labelled task. A kind that has more of them has a class of its own, named in the table of kinds."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, field_validator

from components.corpus.language_codes import language_codes
from components.sections import Fraction, Variant
from components.tasks.kinds import KINDS, nearest

SPAN_F1: Literal["span_f1"] = "span_f1"


class TaskConfig(Variant):
    """A labelled task under data/tasks/NAME; max_length in tokens."""

    kind: str
    language: Literal["en", "zh"]
    max_length: Annotated[int, Field(ge=8)]

    @classmethod
    def discriminator(cls) -> str:
        return "kind"

    @classmethod
    def variant(cls, value: object) -> type[Self]:
        path = KINDS[value].config if isinstance(value, str) and value in KINDS else None
        if path is None:
            return cast(type[Self], TaskConfig)
        module, _, name = path.partition(":")
        return cast(type[Self], getattr(import_module(module), name))

    @property
    def first_metric(self) -> str:
        """The metric that decides."""
        return KINDS[self.kind].metric

    def of_task(self) -> dict[str, Any]:
        """What the task is fitted with beside its rows: keyword arguments of its kind's `fit`."""
        return {}

    def special_tokens(self) -> tuple[str, ...]:
        """Those that the tokenizer has to have."""
        return ()

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


class TextsConfig(TaskConfig):
    """pair: rows have a second text, `text_pair`, and what is asked is about both: NLI, paraphrase, similarity."""

    pair: bool = False


class TaggingConfig(TaskConfig):
    """column: the one with the tags: its name, or in files of columns its number from 1; null: `tags` or `ner_tags`, or
    the last. metric: span_f1 of tags that mark entities, token_accuracy of others, such as parts of speech."""

    column: int | str | None = None
    metric: Literal["span_f1", "token_accuracy"] = SPAN_F1

    @field_validator("column", mode="before")
    @classmethod
    def _column(cls, given: object) -> object:
        number = isinstance(given, int) and not isinstance(given, bool) and given >= 2
        if not (given is None or number or (isinstance(given, str) and given)):
            raise ValueError(f"the name of a column, or its number from 2, not {given!r:.60}")
        return given

    @property
    def first_metric(self) -> str:
        return self.metric

    def of_task(self) -> dict[str, Any]:
        return {"metric": self.metric}


class MultiLabelConfig(TextsConfig):
    """threshold: the probability from which a label is given."""

    threshold: Fraction = 0.5

    def of_task(self) -> dict[str, Any]:
        return {"threshold": self.threshold}


class RetrievalConfig(TaskConfig):
    """temperature: what the cosines of a question with the answers are divided by in training."""

    temperature: Annotated[float, Field(gt=0)] = 0.05

    def of_task(self) -> dict[str, Any]:
        return {"temperature": self.temperature}


class AnswersConfig(TaskConfig):
    """doc_stride: tokens of a context that a window shares with the one before it; max_answer_tokens: of the longest
    answer."""

    doc_stride: Annotated[int, Field(ge=0)] = 128
    max_answer_tokens: Annotated[int, Field(ge=1)] = 30

    def of_task(self) -> dict[str, Any]:
        return {"doc_stride": self.doc_stride, "max_answer_tokens": self.max_answer_tokens}


class RelationConfig(TaskConfig):
    """no_relation: the label of two spans that have none, which the first metric leaves out; null: all have one."""

    no_relation: Annotated[str, Field(min_length=1)] | None = None

    def of_task(self) -> dict[str, Any]:
        return {"no_relation": self.no_relation}

    def special_tokens(self) -> tuple[str, ...]:
        from components.tasks.relation_extraction import MARKERS  # late: numpy comes with it

        return MARKERS
