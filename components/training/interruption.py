"""Ctrl-C and SIGTERM while something must not be cut short: heard at once, acted upon at the next good moment."""

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
"""Environment variable of a worker that signals do not reach: the file whose appearance asks it to stop."""


class Interruption:
    """Whether someone asked to stop, by a signal or by a notice: a file that appears."""

    def __init__(self, notice: Path | None = None) -> None:
        self._heard = False
        self._notice = notice

    @property
    def asked(self) -> bool:
        return self._heard or (self._notice is not None and self._notice.exists())

    def hear(self, number: int, _frame: FrameType | None) -> None:
        """A signal's handler: the first is noted, a second one stops at once."""
        if self._heard:
            raise Interrupted("stopped at once")
        self._heard = True


@contextmanager
def deferred() -> Iterator[Interruption]:
    """Note SIGINT and SIGTERM instead of dying of them; outside the main thread only the notice is looked for."""
    notice = os.environ.get(NOTICE_VARIABLE)
    interruption = Interruption(Path(notice) if notice else None)
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {number: signal.signal(number, interruption.hear) for number in SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
