"""Texts in which two spans are marked, with the relation between them.

The spans stand between entity markers, tokens of their own (Baldini Soares 2019): `[E1] Accra [/E1] is the capital of
[E2] Ghana [/E2].` So a marked text is a text like any other to tokenizers, graphs and servers, and one text may be
asked about as often as it has pairs. The answer comes from the head that reads the whole text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from components.tasks.metrics import Accuracy, Metric, MicroF1
from components.tasks.single_label import SingleLabel
from components.tasks.task import Row

HEAD, TAIL = ("[E1]", "[/E1]"), ("[E2]", "[/E2]")
MARKERS = (*HEAD, *TAIL)
"""Before and behind the first span and the second; `train_tokenizer.special_tokens` names them."""


def marked(text: str, head: Sequence[int], tail: Sequence[int]) -> str:
    """The text with markers around two spans, each from one character up to before another.

    Raises ValueError where a span is empty, outside the text, or overlaps the other.
    """
    for name, (begin, end) in (("head", head), ("tail", tail)):
        if not 0 <= begin < end <= len(text):
            raise ValueError(f"{name} [{begin}, {end}] is no span of a text of {len(text)} characters")
    if max(head[0], tail[0]) < min(head[1], tail[1]):
        raise ValueError(f"head {[*head]} and tail {[*tail]} overlap")
    for (begin, end), (opening, closing) in sorted([(tuple(head), HEAD), (tuple(tail), TAIL)], reverse=True):
        text = f"{text[:begin]}{opening} {text[begin:end]} {closing}{text[end:]}"
    return text


def check_marked(text: str) -> None:
    """Raise ValueError where a text has not each marker once, opening before closing."""
    for marker in MARKERS:
        if (count := text.count(marker)) != 1:
            raise ValueError(f"the text has {marker} {count} times; each of {' '.join(MARKERS)} stands once in it")
    for opening, closing in (HEAD, TAIL):
        if text.index(opening) > text.index(closing):
            raise ValueError(f"{closing} stands before {opening}")


@dataclass(frozen=True)
class RelationF1(MicroF1):
    """Micro-F1 of relations: rows without one, label `none`, count where a relation is claimed or missed (TACRED's
    scorer, Zhang 2017). Targets and answers are labels' numbers [rows]; `none` -1: every label is a relation."""

    classes: int
    none: int

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        places = np.arange(self.classes)
        counted = places != self.none
        both = ((rows[:, None] == places) & counted for rows in (targets, answers))
        return super().statistics(*(found.astype(np.int64) for found in both))


@dataclass(frozen=True)
class RelationExtraction(SingleLabel):
    """Labels are relations; `no_relation`: the label of two spans that have none, None where all have one."""

    no_relation: str | None = None

    kind = "relation_extraction"
    spans = ("head", "tail")
    marks = MARKERS

    @classmethod
    def fit(cls, targets: Sequence[Any], no_relation: str | None = None) -> Self:
        labels = sorted({*targets})
        if len(labels) < 2:
            raise ValueError(f"every train row has the label '{labels[0]}'; relations are told from others")
        if no_relation is not None and no_relation not in labels:
            raise ValueError(f"no train row has the label '{no_relation}', which params.yaml names as `no_relation`")
        return cls(tuple(labels), no_relation)

    @classmethod
    def from_manifest(cls, made: Mapping[str, Any]) -> Self:
        if made["no_relation"] is not None and made["no_relation"] not in made["labels"]:
            raise ValueError(f"no_relation {made['no_relation']!r:.60} is not among the labels")
        return cls(tuple(made["labels"]), made["no_relation"])

    def manifest(self) -> dict[str, Any]:
        return super().manifest() | {"no_relation": self.no_relation}

    @property
    def metrics(self) -> tuple[Metric, ...]:
        none = -1 if self.no_relation is None else self.labels.index(self.no_relation)
        return RelationF1(len(self.labels), none), Accuracy()

    def check_row(self, row: Row) -> None:
        super().check_row(row)
        check_marked(row["text"])

    def refusal(self, text: str) -> str:
        try:
            check_marked(text)
        except ValueError as error:
            return str(error)
        return ""

    def plain(self, text: str) -> str:
        for opening, closing in (HEAD, TAIL):
            text = text.replace(f"{opening} ", "").replace(f" {closing}", "")
        return text
