"""Rejected rows, each with its reason, so that no row is lost and the counts add up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from components.corpus.personal_data import KINDS, scrubbed
from components.corpus.read import Record

EXCERPT = 200
SAMPLES = 5
"""Sample rows of each reason on a page."""


class Quarantine:
    """Writes rejected records as JSON lines and counts them by reason; file names are relative to `root`.

    `samples`: the first few rows of each reason.
    """

    def __init__(self, stream: TextIO, root: Path) -> None:
        self._stream, self._root = stream, root
        self.counts: Counter[str] = Counter()
        self.samples: dict[str, list[dict[str, Any]]] = {}

    def put(self, record: Record, name: str, text: str, reason: str) -> None:
        self.counts[reason] += 1
        file = record.file.relative_to(self._root).as_posix()
        row = {"file": file, "line": record.line, "id": name, "reason": reason, "text": excerpt(text, reason)}
        write_row(self._stream, row)
        if len(samples := self.samples.setdefault(reason, [])) < SAMPLES:
            samples.append(row)


def excerpt(text: str, reason: str) -> str:
    """The beginning of a rejected text without personal data; nothing of a removed row."""
    if reason == "removed":
        return ""
    # Scrubbed before it is cut: half a number is not found.
    return scrubbed(text[: 2 * EXCERPT], KINDS)[0][:EXCERPT]


def write_row(stream: TextIO, row: Mapping[str, Any]) -> None:
    """One JSON line."""
    stream.write(json.dumps(row, ensure_ascii=False) + "\n")
