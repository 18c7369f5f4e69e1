"""Readers of rows: JSON lines, JSON, CSV, TSV, parquet, and text whose blocks of lines are documents.

A reader takes the name a file is called by and its bytes, unpacked, and gives one record at a time.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from components.corpus.json_file import read_json
from components.corpus.lines import MAX_LINE_BYTES, lines_of
from components.corpus.parquet import read_parquet
from components.corpus.record import Columns, Record, kind_of, refuse_repeated, unique
from components.errors import DataError

_SEPARATORS = (";", "\t", "|")
_QUOTED = re.compile('"[^"]*"')
_OBJECT_A_LINE = "one JSON object a line is expected"


def read_jsonl(path: Path, stream: BinaryIO, columns: Columns = None) -> Iterator[Record]:
    """One JSON object a line; blank lines are passed over."""
    for number, line in lines_of(path, stream):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
            # Python keeps the last of two values and says nothing. A second look costs as much as the first, so only
            # lines take it that seem to have more keys than came out.
            if isinstance(fields, dict) and (line.count('":') != len(fields) or '" :' in line):
                json.loads(line, object_pairs_hook=unique)
        except (ValueError, RecursionError) as error:
            reason = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            raise DataError(f"{path}:{number}: not JSON: {reason}", _OBJECT_A_LINE) from None
        if not isinstance(fields, dict):
            raise DataError(f"{path}:{number}: {kind_of(fields)}, not an object", _OBJECT_A_LINE)
        yield Record(path, number, fields)


def read_csv(path: Path, stream: BinaryIO, columns: Columns = None) -> Iterator[Record]:
    """Fields between commas; between semicolons, tabs or bars where these are all that the first row has."""
    numbered = lines_of(path, stream)
    _, first = next(numbered, (1, ""))
    if said := re.fullmatch(r"sep=(.)\s*", first):  # what Excel writes for itself
        return _separated(path, (line for _, line in numbered), said[1], columns, before=1)
    lines = chain([first] if first else [], (line for _, line in numbered))
    return _separated(path, lines, _separator(first), columns)


def read_tsv(path: Path, stream: BinaryIO, columns: Columns = None) -> Iterator[Record]:
    """Fields between tabs."""
    return _separated(path, (line for _, line in lines_of(path, stream)), "\t", columns)


def _separator(header: str) -> str:
    bare = _QUOTED.sub("", header)
    return "," if "," in bare else next((one for one in _SEPARATORS if one in bare), ",")


def _separated(path: Path, lines: Iterable[str], separator: str, columns: Columns, before: int = 0) -> Iterator[Record]:
    """RFC 4180: quoted fields may hold line ends. The first row names the columns. `before`: lines passed over."""
    csv.field_size_limit(MAX_LINE_BYTES)
    rows = csv.reader(lines, delimiter=separator, strict=True)
    line = before + 1
    try:
        header = next(rows, [])
        refuse_repeated(path, header, columns)
        line = before + rows.line_num + 1
        for row in rows:
            if row and len(row) != len(header):
                hint = "quote fields that hold the separator"
                raise DataError(f"{path}:{line}: {len(row)} fields under {len(header)} column names", hint)
            if row:
                yield Record(path, line, dict(zip(header, row, strict=True)))
            line = before + rows.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}:{line}: not well-formed: {error}", "is a quotation mark left open?") from None


def read_txt(path: Path, stream: BinaryIO, columns: Columns = None) -> Iterator[Record]:
    """One document a block of lines; blank lines stand between."""
    block: list[str] = []
    first = size = 0
    for number, line in lines_of(path, stream):
        if line.strip():
            first, size = first if block else number, size + len(line)
            block.append(line)
            if size > MAX_LINE_BYTES:
                raise DataError(f"{path}:{first}: a document over 16 MB", "put blank lines between documents")
        elif block:
            yield Record(path, first, {"text": "".join(block)})
            block, size = [], 0
    if block:
        yield Record(path, first, {"text": "".join(block)})


TABLES: dict[str, Callable[[Path, BinaryIO, Columns], Iterator[Record]]] = {
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_json,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
}
"""Formats whose rows have columns."""
