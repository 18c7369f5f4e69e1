"""The report of a look at the log: JSON and a page, also when nothing has happened."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from components.replacing import replace_json
from flows.watching.windows import Watched, Window, window_json


def watch_lines(task: str, version: str, watched: Watched, size: int) -> list[str]:
    """A line for each dimension that moved, and one for all."""
    lines = [
        f"{task}: drift of {one.dimension} from {window.begin} to {window.end}: {one.bin} {one.before:.1%} of "
        f"validation rows, {one.now:.1%} of requests (p {one.p_value:.4f})"
        for window in watched.windows
        for one in window.shifts
        if one.alarm
    ]
    quiet = sum(not window.drift for window in watched.windows)
    last = f"{watched.waiting} of {size} rows wait for the next"
    return [*lines, f"{task} v{version}: {quiet} windows without drift; {last}"]


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
        (one.dimension, one.bin, f"{one.before:.1%}", f"{one.now:.1%}", f"{one.p_value:.4f}", "drift" * one.alarm)
        for one in window.shifts
    ]
