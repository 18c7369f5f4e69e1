"""components.errors: the tree at the module's head is the tree there is."""

from __future__ import annotations

import inspect
import re

from components import errors
from components.errors import DataError, LianziError, first_line


def test_every_exception_stands_in_the_drawn_tree() -> None:
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or ""))
    classes = {
        name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.LianziError)
    }
    assert classes == drawn | {"LianziError"}
    assert all(issubclass(getattr(errors, name), LianziError) for name in drawn)


def test_the_hint_is_a_second_line() -> None:
    assert str(DataError("data/: missing", "`dvc pull`")) == "data/: missing\n`dvc pull`"
    assert str(DataError("data/: missing")) == "data/: missing"


def test_an_error_without_words_is_told_by_its_name() -> None:
    assert first_line(RuntimeError("\n  first\nsecond")) == "first"
    assert first_line(MemoryError()) == "MemoryError"
