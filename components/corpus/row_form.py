"""How the rows of a kind of task stand in files: their columns, and what is read of a record."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from components.corpus.encoding import compared_form, decoded_right, normalise
from components.corpus.record import Record, kind_of
from components.corpus.tagged import NER_TAGS, TAGS, Tagged, tagged_reader
from components.errors import DataError
from components.tasks.config import TaggingConfig, TaskConfig, TextsConfig
from components.tasks.kinds import task_kind
from components.tasks.task import Column, columns_of, text_columns

_WHOLE = re.compile(r"([+-]?\d+)\.0+")


@dataclass(frozen=True)
class RowForm:
    """How the rows of a kind stand in files: `columns` that are read, and of a record the texts that a model reads and
    what gives the target once they are clean, None where it cannot; None for a record that is no row."""

    columns: tuple[str, ...]
    read: Callable[[Record], tuple[tuple[str, ...], Callable[..., Any]] | None]


def form_of(config: TaskConfig) -> RowForm:
    """By what stands in the target's column."""
    kind = task_kind(config.kind)
    if kind.columns[kind.target] == Column.TAGS:
        column = config.column if isinstance(config, TaggingConfig) else None
        used = ("id", "text", "tokens", *((TAGS, NER_TAGS) if column is None else [str(column)]))
        return RowForm(used, partial(_tagged, tagged_reader(config.language, column)))
    texts = text_columns(columns_of(kind, is_pair(config)))
    columns = dict.fromkeys(("id", *texts, kind.target))
    return RowForm(tuple(columns), partial(_plain, texts, _READ[kind.columns[kind.target]]))


def is_pair(config: TaskConfig) -> bool:
    """Whether rows have a second text."""
    return isinstance(config, TextsConfig) and config.pair


def _plain(
    names: tuple[str, ...], read: Callable[[Record], Any], record: Record
) -> tuple[tuple[str, ...], Callable[..., Any]]:
    texts, target = tuple(record.text(name) for name in names), read(record)
    return texts, lambda *clean: target


def _tagged(
    read: Callable[[Record], Tagged | None], record: Record
) -> tuple[tuple[str, ...], Callable[..., Any]] | None:
    found = read(record)
    return None if found is None else ((found.text,), found.tags_of)


def _label(record: Record) -> str:
    """A row's label as text. Raises DataError where there is none."""
    if "label" not in record.fields:
        return record.text("label")
    value = record.fields["label"]
    label = _label_text(value)
    if label is None:
        raise DataError(f"{record.place}: 'label' is {kind_of(value)}, not text", "text, a number or a truth value")
    if not label:
        raise DataError(f"{record.place}: the label is empty", "every labelled row needs one")
    return label


def _label_text(value: object) -> str | None:
    """A label in the one form it has in all files: CSV has "True" or "1.0" where parquet has a type. None: no label."""
    if value is None or value != value:  # a NaN is what pandas has for nothing
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | Decimal):
        value = str(value)
    if not isinstance(value, str):
        return None
    label = normalise(decoded_right(value))
    if whole := _WHOLE.fullmatch(label):
        return whole[1]
    return label.lower() if label.lower() in ("true", "false") else label


def _labels(record: Record) -> list[str]:
    """A row's labels, each once and in order: of a list, or of text with `;` or `,` between them, as CSV has it.

    Raises DataError where there is no such column, or one of them is no label.
    """
    if "labels" not in record.fields:
        record.text("labels")  # says what is missing, and what is there
    value = record.fields["labels"]
    if value is None or value != value:
        value = []
    if isinstance(value, str):
        value = [one for one in value.split(";" if ";" in value else ",") if one.strip()]
    if not isinstance(value, list):
        raise DataError(
            f"{record.place}: 'labels' is {kind_of(value)}, not a list", 'as ["sport", "law"], or sport;law'
        )
    found = set()
    for one in value:
        if not (label := _label_text(one)):
            raise DataError(f"{record.place}: {one!r:.60} in 'labels' is no label", "text, a number or a truth value")
        found.add(label)
    return sorted(found)


def _number(record: Record) -> float:
    """A row's number. Raises DataError where there is none, or one that is not finite."""
    if "label" not in record.fields:
        record.text("label")
    value = record.fields["label"]
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{record.place}: 'label' is {value!r:.60}, not a finite number", "every row needs a number")
    return number


def _itself(record: Record) -> str:
    """Of a text that is learned itself: the same for all that repeat it."""
    return compared_form(record.text())


_READ: dict[Column, Callable[[Record], Any]] = {
    Column.LABEL: _label,
    Column.LABELS: _labels,
    Column.NUMBER: _number,
    Column.TEXT: _itself,
}
"""How what a row should be answered with is read."""
