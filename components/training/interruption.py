"""Graceful shutdown: SIGINT and SIGTERM are noted, and the training stops after its next checkpoint."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from components.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)
NOTICE_VARIABLE = "LIANZI_STOP_NOTICE"
"""Environment variable: a file whose appearance requests a stop, for workers that no signal reaches."""


class StopRequest:
    """A request to stop, by a signal or by the appearance of the file `notice`."""

    def __init__(self, notice: Path | None = None) -> None:
        self._signalled = False
        self._notice = notice

    @property
    def requested(self) -> bool:
        return self._signalled or (self._notice is not None and self._notice.exists())

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Signal handler: the first signal requests a stop, the second stops at once."""
        if self._signalled:
            raise Interrupted("stopped at once")
        self._signalled = True


@contextmanager
def graceful_shutdown() -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into a stop request; outside the main thread only the notice file is watched."""
    notice = os.environ.get(NOTICE_VARIABLE)
    stop = StopRequest(Path(notice) if notice else None)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.handle) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
