"""Hugging Face data sets as the rows of a task: a file a split, labels by their names.

Data sets keep labels as numbers whose names stand beside the columns; rows of a task have the names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from components.corpus.record import reason_of
from components.errors import DataError, ParameterError

SPLITS: dict[str, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}
"""A task's split -> what data sets call it."""


def task_splits(name: str, loaded: Any) -> dict[str, Any]:
    """Split of a task -> the data set's. Raises DataError where one is missing."""
    there = loaded if isinstance(loaded, Mapping) else {str(loaded.split or "all"): loaded}
    found = {split: next((there[known] for known in names if known in there), None) for split, names in SPLITS.items()}
    if missing := [split for split, rows in found.items() if rows is None]:
        raise DataError(
            f"{name}: no split for {' and '.join(missing)}; it has {', '.join(map(str, there))}",
            "divide one with train_test_split of `datasets`, and save all three with save_to_disk",
        )
    return found


def renamed(given: tuple[str, ...]) -> dict[str, str]:
    """`text=sentence` as column of the task -> column of the data set. Raises ParameterError for another form."""
    for one in given:
        if not re.fullmatch(r"\w+=.+", one):
            raise ParameterError(f"--column {one!r:.60}: expected COLUMN=ITS_NAME", "as in --column text=sentence")
    return dict(one.split("=", 1) for one in given)


def labelled_rows(name: str, split: str, rows: Any, columns: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Rows as a task's file has them; `columns`: as `renamed` gives them. Raises DataError naming split and row."""
    features = rows.features or {}
    there = list(features) or rows.column_names or []
    if absent := next((column for column in columns.values() if there and column not in there), None):
        raise DataError(f"{name}: {split}: no column '{absent}'", f"its columns: {', '.join(there)}")
    others = {theirs: ours for ours, theirs in columns.items()}
    named = {column: _names(feature) for column, feature in features.items()}
    number = 0
    try:
        for number, row in enumerate(rows, 1):  # noqa: B007  named when a row fails
            yield {
                others.get(column, column): _plain(named[column](value) if column in named else value)
                for column, value in row.items()
                if column in others or column not in columns
            }
    except _Unlabelled:
        hint = "take a split that has labels: many data sets keep those of their test rows back"
        raise DataError(f"{name}: {split}: row {number} has no label", hint) from None
    except (ArithmeticError, LookupError, OSError, ValueError) as error:
        hint = "fetch it again, or leave out what needs another package"
        raise DataError(f"{name}: {split}: ended with an error after row {number}: {reason_of(error)}", hint) from None


class _Unlabelled(Exception):
    """A label is -1, which is what data sets have for none."""


def _names(feature: Any) -> Callable[[Any], Any]:
    """What makes names of a column's numbers, where it has names; what leaves its values as they are, elsewhere."""
    if isinstance(feature, list) and len(feature) == 1:
        feature = {"feature": feature[0]}
    inside = feature.get("feature") if isinstance(feature, dict) else getattr(feature, "feature", None)
    if inside is not None and getattr(inside, "names", None):
        return lambda values: [_name(inside.names, value) for value in values]
    if getattr(feature, "names", None):
        return lambda value: _name(feature.names, value)
    return lambda value: value


def _plain(value: Any) -> Any:
    """As JSON has it; dates and the like as text."""
    return value if value is None or isinstance(value, str | int | float | list | dict) else str(value)


def _name(names: list[str], number: Any) -> str:
    if not isinstance(number, int) or number < 0:
        raise _Unlabelled
    return names[number]
