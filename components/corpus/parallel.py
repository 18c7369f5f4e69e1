"""Two text files side by side, as translations come: a line of one is answered by the same line of the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from components.corpus.lines import lines_of
from components.corpus.read import read_records
from components.corpus.record import Columns, Record, reason_of
from components.errors import DataError

SOURCE, TARGET = ".source", ".target"
"""The endings of both files' names."""


def read_rows(path: Path, columns: Columns = None) -> Iterator[Record]:
    """The records of a split's data file, or of a `.source` and the `.target` beside it. Raises DataError."""
    if path.suffix == SOURCE:
        return read_parallel(path, path.with_suffix(TARGET))
    return read_records(path, columns)


def read_parallel(source: Path, target: Path) -> Iterator[Record]:
    """A record a line, with `text` and `target`. Raises DataError, naming file and line, where one file is longer."""
    line = 0
    try:
        with source.open("rb") as texts, target.open("rb") as targets:
            for text, answer in zip_longest(lines_of(source, texts), lines_of(target, targets)):
                line += 1
                if text is None or answer is None:
                    longer, shorter = (target, source) if text is None else (source, target)
                    hint = f"line N of {target.name} is the answer to line N of {source.name}: both are to be as long"
                    raise DataError(f"{longer}:{line}: {shorter.name} ends before this line", hint)
                yield Record(source, line, {"text": text[1], "target": answer[1]})
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read: {reason_of(error)}", "check its owner and mode") from None
    if not line:
        raise DataError(f"{source}: holds no rows", "remove the file or fill it")
