"""What one server takes on: its limits, and the requests that are under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


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


@dataclass
class Admission:
    """Whether new work is taken on, and how much is under way."""

    draining: bool = False
    given_up: bool = False
    _ends: set[asyncio.Timeout] = field(default_factory=set)

    @property
    def under_way(self) -> int:
        return len(self._ends)

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        """A request is under way. Cancelled in its midst, with TimeoutError at the end, once it is given up."""
        async with asyncio.timeout(None) as end:
            self._ends.add(end)
            try:
                yield
            finally:
                self._ends.discard(end)

    def give_up(self) -> None:
        """End every request that is under way."""
        self.given_up = True
        now = asyncio.get_running_loop().time()
        for end in self._ends:
            end.reschedule(now)
