"""Processes that a test started and awaits the end of."""

from __future__ import annotations

import time
from collections.abc import Iterable

import psutil


def left_after(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that still run after so many seconds.

    A zombie has ended: a child of a process that was killed stays one where PID 1 reaps nobody, as in containers.
    """
    deadline = time.monotonic() + seconds
    while left := [one for one in processes if _runs(one)]:
        if time.monotonic() > deadline:
            return left
        time.sleep(0.05)
    return []


def end(processes: Iterable[psutil.Process]) -> None:
    """Kill what still runs."""
    for one in processes:
        if _runs(one):
            one.kill()


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
