"""Batches rows of many requests for the model.

Rows wait in buckets of similar length, so that a batch has little padding. The bucket whose first row has waited
longest is next; its batch runs once it is full or that row has waited `max_delay`. Without a delay rows still gather
while a batch runs, and those that reach the event loop together run together.

A batch that takes no longer than reading a few requests runs in the event loop. Through a thread it would cost more:
each turn of the interpreter's lock is waited for, while others have it (docs/decisions/0089).
"""

from __future__ import annotations

import asyncio
import bisect
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

import numpy as np

from components.errors import EngineError
from components.inference.sessions import Arrays
from components.serving.request_error import RequestError

InferRows = Callable[[Sequence[list[int]]], Arrays]
"""Rows of token ids -> the outputs of a graph by name, whose first axis is the rows."""

SHORTEST = 8
BRIEF = 0.002
"""Seconds that a batch may keep the event loop from other work."""
REMEMBERED = 8
"""Batches whose pace is known. The quickest of them counts: the others were waiting for a core, too."""


@dataclass(eq=False)
class _Job:
    """The rows of one request."""

    future: asyncio.Future[list[Arrays]]
    results: list[Arrays | None]
    missing: int
    arrived: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, eq=False)
class _Row:
    job: _Job
    number: int
    ids: list[int]


class Batcher:
    """A queue, which belongs to one event loop, and the threads that run its batches."""

    def __init__(
        self,
        infer: InferRows,
        max_length: int,
        max_batch: int,
        max_queue: int,
        max_delay: float,
        observe: Callable[[int], None],
        threads: int = 1,
    ) -> None:
        self.waiting = 0
        """Rows in the queue."""
        self._infer = infer
        self._max_batch, self._max_queue, self._max_delay = max_batch, max_queue, max_delay
        self._observe = observe
        self._widths = widths(max_length)
        self._buckets: list[deque[_Row]] = [deque() for _ in self._widths]
        self._free = threads
        self._paces: deque[float] = deque(maxlen=REMEMBERED)
        """Seconds a token, padding included, of the last batches."""
        self._looks_soon = False
        self._looks_later: asyncio.TimerHandle | None = None
        self._batches: SimpleQueue[list[_Row] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, rows: Sequence[list[int]]) -> asyncio.Future[list[Arrays]]:
        """The outputs of each row by name, in the rows' order; cancelling drops the rows that have not run. Raises
        RequestError (429).
        """
        if self.waiting + len(rows) > self._max_queue:
            raise RequestError(429, f"{self.waiting} rows are waiting already, the queue holds {self._max_queue}")
        job = _Job(asyncio.get_running_loop().create_future(), [None] * len(rows), len(rows))
        for number, ids in enumerate(rows):
            self._buckets[bisect.bisect_left(self._widths, len(ids))].append(_Row(job, number, ids))
        self.waiting += len(rows)
        self._look_soon()  # not at once: requests that came at the same time are to share a batch
        return job.future

    def close(self) -> None:
        """Finish the waiting rows, then end the threads. Returns at once."""
        for bucket in self._buckets:
            while bucket:
                if batch := self._take(bucket):
                    self._batches.put(batch)
        for _ in self._threads:
            self._batches.put(None)

    def join(self, seconds: float) -> bool:
        """Wait for a closed batcher's threads. Returns whether they have ended."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _look_soon(self) -> None:
        if not self._looks_soon:
            self._looks_soon = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        """Run a batch that is due and brief, or give free threads what is due; look again once the next one is."""
        self._looks_soon = False
        if self._looks_later:
            self._looks_later.cancel()
        while bucket := min((one for one in self._buckets if one), key=lambda one: one[0].job.arrived, default=None):
            patience = bucket[0].job.arrived + self._max_delay - time.monotonic()
            if patience > 0 and len(bucket) < self._max_batch:
                self._looks_later = asyncio.get_running_loop().call_later(patience, self._look)
                return
            brief = self._is_brief(bucket)
            if not brief and self._free <= 0:
                return
            if not (batch := self._take(bucket)):
                continue
            if brief:
                self._deliver(batch, *self._run(batch))
                self._look_soon()  # requests are read in between
                return
            self._free -= 1
            self._batches.put(batch)

    def _is_brief(self, bucket: deque[_Row]) -> bool:
        rows = list(itertools.islice(bucket, self._max_batch))
        return bool(self._paces) and min(self._paces) * _tokens(rows) <= BRIEF

    def _take(self, bucket: deque[_Row]) -> list[_Row]:
        """The rows that have waited longest, without those that nobody waits for any more."""
        batch = [bucket.popleft() for _ in range(min(len(bucket), self._max_batch))]
        self.waiting -= len(batch)
        return [row for row in batch if not row.job.future.cancelled()]

    def _work(self) -> None:
        while (batch := self._batches.get()) is not None:
            outcomes, seconds = self._run(batch)
            loop = batch[0].job.future.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._end_turn, batch, outcomes, seconds)

    def _end_turn(self, batch: list[_Row], outcomes: list[Arrays | Exception], seconds: float) -> None:
        """A thread is free again. Its next batch begins before the answers of this one are written."""
        self._free += 1
        self._deliver(batch, outcomes, seconds)
        self._look()

    def _run(self, batch: list[_Row]) -> tuple[list[Arrays | Exception], float]:
        """The outcome of each row, and the seconds of all."""
        begun = time.perf_counter()
        return self._outcomes([row.ids for row in batch]), time.perf_counter() - begun

    def _outcomes(self, rows: list[list[int]]) -> list[Arrays | Exception]:
        """Of each row. One failing row must not fail the others, so a failed batch is retried row by row."""
        try:
            results = self._infer(rows)
        except EngineError as error:
            return [error] if len(rows) == 1 else [outcome for row in rows for outcome in self._outcomes([row])]
        except Exception as error:  # a bug: this thread must outlive it
            logging.getLogger("lianzi.serving").exception("a batch of %d rows failed", len(rows))
            return [error] * len(rows)
        return [{name: values[place] for name, values in results.items()} for place in range(len(rows))]

    def _deliver(self, batch: list[_Row], outcomes: list[Arrays | Exception], seconds: float) -> None:
        self._observe(len(batch))
        self._paces.append(seconds / _tokens(batch))
        for row, outcome in zip(batch, outcomes, strict=True):
            job = row.job
            if job.future.done():
                continue
            if isinstance(outcome, Exception):
                job.future.set_exception(outcome)
                continue
            job.results[row.number] = outcome
            job.missing -= 1
            if not job.missing:
                job.future.set_result(job.results)  # type: ignore[arg-type]


def _tokens(rows: Sequence[_Row]) -> int:
    """Of a batch, padding included."""
    return len(rows) * max(len(row.ids) for row in rows)


def widths(max_length: int) -> list[int]:
    """The buckets' upper bounds in tokens: powers of two, then `max_length`."""
    ends, end = [], SHORTEST
    while end < max_length:
        ends.append(end)
        end *= 2
    return [*ends, max_length]


def stacked(rows: Sequence[Arrays], name: str) -> np.ndarray:
    """One output of several rows, (rows, ...), of the same shape in each."""
    return np.stack([row[name] for row in rows])
