"""The requests that servers keep: rows of `lianzi serve --log-requests`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from components.errors import DataError

NAMES = ("time", "request", "model", "version", "text", "answer", "score")
"""Of every line of a log."""
LATER: dict[str, Any] = {"milliseconds": None, "status": 200, "canary": False}
"""Of lines since a canary is judged by them, with what older lines mean."""
WRITES = "`lianzi serve --log-requests SHARE` writes one"


def log_files(root: Path, log: Path) -> list[Path]:
    """The files of a log, the oldest first."""
    return [*sorted((root / log.parent).glob(f"{log.name}.[0-9]"), reverse=True), root / log]


def logged(logs: list[Path], wanted: Callable[[dict[str, Any]], bool] = lambda row: True) -> Iterator[dict[str, Any]]:
    """The wanted rows of several files, each with NAMES and LATER. Raises DataError for what is no log."""
    for path in logs:
        if not path.is_file():
            continue
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    break  # a server is writing it now: the next look takes it
                row = _row(line, f"{path}:{number}")
                if wanted(row):
                    yield row


def _row(line: bytes, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)  # a text that is not UTF-8 is a ValueError, too
        return {name: row[name] for name in NAMES} | {name: row.get(name, LATER[name]) for name in LATER}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(f"{place}: not a line of a log of requests", WRITES) from None


def answered(row: dict[str, Any]) -> bool:
    """Whether the model gave an answer; the line of a request that it failed has none."""
    return bool(row["status"] < 500)
