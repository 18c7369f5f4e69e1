"""The report of a look at the log: JSON and a page, also when nothing has happened."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from components.replacing import replace_json
from components.validation.shift import Shift
from flows.watching.windows import Watched, Window, window_json


def watch_lines(task: str, version: str, watched: Watched, size: int) -> list[str]:
    """A line for each dimension that moved, and one for all."""
    lines = [
        f"{task}: drift of {one.dimension}, {_time(window.begin)} to {_time(window.end)}: {_bin(one)} in {one.now:.1%} "
        f"of requests, {one.before:.1%} of validation rows (p {one.p_value:.4f})"
        for window in watched.windows
        for one in window.shifts
        if one.alarm
    ]
    quiet = sum(not window.drift for window in watched.windows)
    last = f"{watched.waiting} of {size} rows wait for the next"
    return [*lines, f"{task} v{version}: {quiet} windows without drift; {last}"]


def _bin(shift: Shift) -> str:
    """The bin that moved most, as a person says it."""
    if shift.dimension == "length" and shift.bin.isdigit():
        least = int(shift.bin)
        return f"{least} to {2 * least - 1} characters" if least else "no character"
    return f"'{shift.bin}'" if shift.dimension == "answer" else f"{shift.dimension} {shift.bin}"


def _time(logged: str) -> str:
    """A time of the log without fractions of a second."""
    return re.sub(r"\.\d+", "", logged)


def write_report(folder: Path, lines: Sequence[str], watched: Watched, settings: dict[str, float | str]) -> None:
    """Write report.json and index.html."""
    windows = [window_json(window) for window in watched.windows]
    replace_json(
        folder / "report.json", {**settings, "lines": list(lines), "windows": windows, "waiting": watched.waiting}
    )
    from components.evaluation.page import section, table, write_html

    parts = ["<h1>Requests beside validation rows</h1>", *(f"<p>{escape(line)}</p>" for line in lines)]
    parts += [section(f"{one.begin} to {one.end}", table(_HEADER, _rows(one))) for one in watched.windows]
    told = ", ".join(f"{escape(name)} {escape(str(value))}" for name, value in settings.items())
    write_html(folder / "index.html", "Requests beside validation rows", [*parts, f'<p class="note">{told}</p>'])


_HEADER = ("dimension", "moved most", "validation rows", "requests", "p", "")


def _rows(window: Window) -> list[tuple[str, ...]]:
    return [
        (one.dimension, _bin(one), f"{one.before:.1%}", f"{one.now:.1%}", f"{one.p_value:.4f}", "drift" * one.alarm)
        for one in window.shifts
    ]
