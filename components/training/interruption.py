"""Ctrl-C and SIGTERM while something must not be cut short: heard at once, acted upon at the next good moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from components.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether someone asked to stop."""

    def __init__(self) -> None:
        self.asked = False

    def hear(self, number: int, _frame: FrameType | None) -> None:
        """A signal's handler: the first is noted, a second one stops at once."""
        if self.asked:
            raise Interrupted("stopped at once")
        self.asked = True


@contextmanager
def deferred() -> Iterator[Interruption]:
    """Note SIGINT and SIGTERM instead of dying of them; outside the main thread nothing changes."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {number: signal.signal(number, interruption.hear) for number in SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
