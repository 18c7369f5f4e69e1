"""Windows of a server's log of requests, each looked at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from components.replacing import replace_json
from components.validation.shift import Shift, shifts
from flows.watching.reference import Answered, Reference, counts


@dataclass(frozen=True)
class Window:
    """Rows of the log: the times of the first and the last, and what moved."""

    begin: str
    end: str
    rows: int
    shifts: list[Shift]

    @property
    def drift(self) -> bool:
        return any(one.alarm for one in self.shifts)


@dataclass(frozen=True)
class Watched:
    """The full windows since the last look, the rows that wait for the next one to fill, and how far this look came."""

    windows: list[Window]
    waiting: int
    seen: dict[str, Any] = field(default_factory=dict, compare=False)


def look(
    logged: Sequence[dict[str, Any]], task: str, version: str, reference: Reference, size: int, rate: float, state: Path
) -> Watched:
    """Compare the windows that have filled since the last look, of which `state` says how far it came.

    `logged`: rows of the log, the oldest first, of which those of the task count that this version answered.
    """
    rows = [row for row in logged if row["model"] == task and row["version"] == version]
    after = _seen(state, version)
    rows = rows[_begin(rows, after) :]
    full = len(rows) // size * size
    windows = [_window(rows[start : start + size], reference, rate) for start in range(0, full, size)]
    seen: dict[str, Any] = {}
    if full:
        last = rows[full - 1]
        # Rows of one request have one time and id: how many of them were seen tells where to go on.
        same = sum(_place(row) == _place(last) for row in rows[:full])
        same += after["same"] if after and after["place"] == list(_place(last)) else 0
        seen = {"version": version, "place": list(_place(last)), "same": same}
    return Watched(windows, len(rows) - full, seen)


def note_seen(watched: Watched, state: Path) -> None:
    """Note how far a look came, once what it found is noted: one that is ended before looks again."""
    if watched.seen:
        replace_json(state, watched.seen)


def _place(row: dict[str, Any]) -> tuple[str, str]:
    return row["time"], row["request"]


def _seen(state: Path, version: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(state.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if found.get("version") == version else None


def _begin(rows: Sequence[dict[str, Any]], after: dict[str, Any] | None) -> int:
    """The place behind the last row that was seen; rows of a log that was turned over since are all new."""
    if after is None:
        return 0
    found = [number for number, row in enumerate(rows) if list(_place(row)) == after["place"]]
    if found:
        return found[0] + after["same"]
    return sum(row["time"] <= after["place"][0] for row in rows)


def _window(rows: Sequence[dict[str, Any]], reference: Reference, rate: float) -> Window:
    answered = [Answered(row["text"], row["answer"], row["score"]) for row in rows]
    now = counts(answered, reference.borders, "answer" in reference.counts)
    return Window(rows[0]["time"], rows[-1]["time"], len(rows), shifts(reference.counts, now, rate))


def window_json(window: Window) -> dict[str, Any]:
    """A window as the report has it."""
    return {**asdict(window), "drift": window.drift}
