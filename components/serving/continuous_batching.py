"""Continuous batching: rows of many requests in one generator, joining and leaving between two steps.

Orca (Yu et al. 2022, OSDI): each step has a new batch, so a short answer never waits for a long one. A free slot goes
to the requests round-robin, one row at a time, so a request with many prompts does not block others.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from components.errors import EngineError
from components.serving.request_error import RequestError


class Row(Protocol):
    """A growing text; `finished` is None, stop or length."""

    @property
    def text(self) -> str: ...
    @property
    def finished(self) -> str | None: ...


class Generates(Protocol):
    """A generator that is stepped; `start` and `step` are called from one thread."""

    @property
    def max_batch(self) -> int: ...
    def start(self, ids: list[int], sampling: Any, /) -> Any: ...
    def step(self, rows: list[Any], /) -> list[int]: ...


@dataclass(frozen=True)
class GenerationRequest:
    """A requested row: its prompt and its sampling parameters."""

    ids: list[int]
    sampling: Any


@dataclass(frozen=True)
class Delta:
    """The new text of row `index` of a request after one step; `finished` is None, stop or length."""

    index: int
    text: str
    finished: str | None


@dataclass(eq=False)
class Job:
    """The rows of one request. The event loop of its creation reads its deltas."""

    requests: deque[tuple[int, GenerationRequest]]
    missing: int
    deltas: asyncio.Queue[Delta | Exception] = field(default_factory=asyncio.Queue)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    tokens: int = 0
    """The number of generated tokens, those that end a text included."""
    cancelled: bool = False

    async def __aiter__(self) -> AsyncIterator[Delta]:
        """Yield every delta until all rows are finished. Raises the generator's errors."""
        while self.missing:
            delta = await self.deltas.get()
            if isinstance(delta, Exception):
                raise delta
            self.missing -= delta.finished is not None
            yield delta

    def cancel(self) -> None:
        """Cancel the job: its rows leave before the next step."""
        self.cancelled = True


@dataclass(eq=False)
class _Active:
    job: Job
    index: int
    row: Row
    told: int = 0
    """The number of characters sent so far."""

    def delta(self) -> Delta:
        """The new part of the text."""
        text = self.row.text
        fresh, self.told = text[self.told :], len(text)
        return Delta(self.index, fresh, self.row.finished)


class ContinuousBatcher:
    """A bounded queue of rows and the thread that steps them. `submit` must be called in the event loop."""

    def __init__(
        self, generator: Generates, max_queue: int, observe: Callable[[int], None], count: Callable[[int], None]
    ) -> None:
        """`observe` is called with the number of rows of every step, `count` with the number of its tokens."""
        self.waiting = 0
        """Rows that have not begun."""
        self.active = 0
        """Rows of the present step."""
        self._generator, self._max_queue, self._observe, self._count = generator, max_queue, observe, count
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def submit(self, requests: Sequence[GenerationRequest]) -> Job:
        """A job whose rows start as slots become free. Raises RequestError (429)."""
        job = Job(deque(enumerate(requests)), len(requests))
        with self._changed:
            if self.waiting + len(requests) > self._max_queue:
                raise RequestError(429, f"{self.waiting} rows are waiting already, the queue holds {self._max_queue}")
            self._jobs.append(job)
            self.waiting += len(requests)
            self._changed.notify()
        return job

    def close(self) -> None:
        """Finish the waiting rows, then end the thread. Returns at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def join(self, seconds: float) -> bool:
        """Wait for a closed batcher's thread. Returns whether it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        active: list[_Active] = []
        while True:
            active = [one for one in active if not one.job.cancelled]
            if not active and not self._await_job():
                return
            active += self._joining(self._generator.max_batch - len(active))
            self.active = len(active)
            if active:
                self._observe(len(active))
                self._step(active)
                active = [one for one in active if one.row.finished is None and not one.job.cancelled]
            self.active = len(active)

    def _await_job(self) -> bool:
        """Wait for work: False once closed and empty."""
        with self._changed:
            while not self._jobs and not self._closed:
                self._changed.wait()
            return bool(self._jobs)

    def _joining(self, places: int) -> list[_Active]:
        joining: list[_Active] = []
        while len(joining) < places:
            taken = self._take()
            if taken is None:
                break
            job, index, generation_request = taken
            try:
                joining.append(
                    _Active(job, index, self._generator.start(generation_request.ids, generation_request.sampling))
                )
            except Exception as error:
                self._fail([job], error)
        return joining

    def _take(self) -> tuple[Job, int, GenerationRequest] | None:
        """Pop the next row, round-robin over jobs; drop cancelled ones."""
        with self._changed:
            while self._jobs:
                job = self._jobs.popleft()
                if job.cancelled:
                    self.waiting -= len(job.requests)
                    continue
                index, generation_request = job.requests.popleft()
                self.waiting -= 1
                if job.requests:
                    self._jobs.append(job)
                return job, index, generation_request
            return None

    def _step(self, active: list[_Active]) -> None:
        """One failing row must not fail the others, so a failed step is retried row by row."""
        try:
            made = self._generator.step([one.row for one in active])
        except Exception as error:
            if len(active) > 1 and isinstance(error, EngineError):
                for one in active:
                    self._step([one])
            else:
                self._fail([one.job for one in active], error)
            return
        self._count(len(made))
        self._deliver([(one.job, one.delta()) for one in active], tokens=1)

    def _fail(self, jobs: list[Job], error: Exception) -> None:
        if not isinstance(error, EngineError):  # a bug: this thread must outlive it
            logging.getLogger("lianzi.serving").error("a step of %d rows failed", len(jobs), exc_info=error)
        for job in jobs:
            job.cancel()
        self._deliver([(job, error) for job in jobs], tokens=0)

    def _deliver(self, found: Sequence[tuple[Job, Delta | Exception]], tokens: int) -> None:
        loop = found[0][0].loop
        if not loop.is_closed():
            loop.call_soon_threadsafe(_hand_over, found, tokens)


def _hand_over(found: Sequence[tuple[Job, Delta | Exception]], tokens: int) -> None:
    for job, delta in found:
        job.tokens += tokens
        job.deltas.put_nowait(delta)
