"""What a service wrote in its log: a service that starts may still not work."""

from __future__ import annotations

import re
from pathlib import Path

_LEVEL = re.compile(r"^.{0,40}?\b(DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL)\b")
"""Of the first line of a record: Prefect's, MLflow's and uvicorn's have the level near the beginning."""
_TRACEBACK = "Traceback (most recent call last)"

RECOVERED = ("Worker channel heartbeat persistence failed", "Failed in consume_loop")
"""Errors of a service that it recovers from by itself, each with its reason.

Prefect's server keeps a worker's heartbeat in a transaction that reads first, which SQLite refuses at once ("database
is locked") where another one wrote in between. The worker sends it over HTTP then, and opens its channel again. What
automations wait for is kept in such transactions too; the server takes the event up again, three times.
"""


def assert_healthy(log: Path, expected: tuple[str, ...] = ()) -> None:
    """Fail with the records of a service's log that tell of an error, a traceback among them.

    `expected`: what errors the test itself provokes, a part of the record's text each.
    """
    found = errors_in(log.read_text(encoding="utf-8", errors="replace"), (*RECOVERED, *expected))
    assert not found, f"{log.name}:\n" + "\n".join(found)


def errors_in(text: str, expected: tuple[str, ...] = ()) -> list[str]:
    """The records at level ERROR or above, and tracebacks that stand by themselves."""
    return [
        record
        for record in _records(text.replace("\0", ""))
        if _is_bad(record) and not any(part in record for part in expected)
    ]


def _records(text: str) -> list[str]:
    """A log's lines, those without a level put to the record before them; a lone traceback is a record."""
    records: list[str] = []
    for line in text.splitlines():
        lone = line.startswith(_TRACEBACK) and not (records and _is_bad(records[-1]))
        if not records or lone or _LEVEL.match(line):
            records.append(line)
        else:
            records[-1] += f"\n{line}"
    return records


def _is_bad(record: str) -> bool:
    level = _LEVEL.match(record)
    return record.startswith(_TRACEBACK) or (level is not None and level[1] in ("ERROR", "CRITICAL", "FATAL"))
