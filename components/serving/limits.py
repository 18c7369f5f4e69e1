"""What one server takes on before it says no."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of one server. They decide which requests are refused, never what an answer says."""

    max_queue: int = 256
    """Rows of one model that may wait; one more request is answered with 429."""

    max_rows: int = 128
    """Rows of one request; never more than the queue holds."""

    max_body: int = 1 << 20
    """Bytes of one request."""

    max_text: int = 20_000
    """Characters of one text. What is past the bundle's `max_length` tokens is cut, as in `lianzi predict`."""

    timeout: float = 10.0
    """Seconds from a request's first byte to its answer."""

    max_delay: float = 0.0
    """Seconds that a row waits for others of its length while the engine has nothing to do.

    Rows gather by themselves while a batch runs; waiting longer pays where a larger batch costs little more.
    """

    drain: float = 30.0
    """Seconds that accepted requests have to finish in once the server was told to stop."""

    @property
    def largest(self) -> int:
        """Rows of the largest request that is taken: one that no empty queue holds would be put off for ever."""
        return min(self.max_rows, self.max_queue)
