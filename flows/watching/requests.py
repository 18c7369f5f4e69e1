"""The requests that servers keep: rows of `lianzi serve --log-requests`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.errors import DataError

NAMES = ("time", "request", "model", "version", "text", "answer", "score")
"""Of every line of a log."""
LATER: dict[str, Any] = {"milliseconds": None, "status": 200}
"""Of lines since a canary is judged by them, with what older lines mean."""


def log_files(root: Path, log: Path) -> list[Path]:
    """The files of a log, the oldest first."""
    return [*sorted((root / log.parent).glob(f"{log.name}.[0-9]"), reverse=True), root / log]


def logged(logs: list[Path]) -> Iterator[dict[str, Any]]:
    """The rows of several files, each with NAMES and LATER. Raises DataError for what is no log."""
    for path in logs:
        if not path.is_file():
            continue
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    row = json.loads(line)
                    yield {name: row[name] for name in NAMES} | {name: row.get(name, LATER[name]) for name in LATER}
                except (ValueError, KeyError, TypeError, AttributeError):
                    hint = "`lianzi serve --log-requests SHARE` writes one"
                    raise DataError(f"{path}:{number}: not a line of a log of requests", hint) from None


def answered(row: dict[str, Any]) -> bool:
    """Whether the model gave an answer; the line of a request that it failed has none."""
    return bool(row["status"] < 500)
