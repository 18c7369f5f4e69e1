"""Batches rows of many requests for the model.

Rows wait in buckets of similar length, so that a batch has little padding. The bucket whose first row has waited
longest is next; its batch runs once it is full or that row has waited `max_delay`. Without a delay rows still gather
while a batch runs.
"""

from __future__ import annotations

import asyncio
import bisect
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from components.errors import EngineError
from components.inference.sessions import Arrays
from components.serving.request_error import RequestError

InferRows = Callable[[Sequence[list[int]]], Arrays]
"""Rows of token ids -> the outputs of a graph by name, whose first axis is the rows."""

SHORTEST = 8


@dataclass(eq=False)
class _Job:
    """The rows of one request; only the event loop changes it."""

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
    """A queue and the threads that empty it. `submit` must be called in the event loop of its creation."""

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
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, rows: Sequence[list[int]]) -> asyncio.Future[list[Arrays]]:
        """The outputs of each row by name, in the rows' order; cancelling drops the rows that have not run. Raises
        RequestError (429).
        """
        job = _Job(asyncio.get_running_loop().create_future(), [None] * len(rows), len(rows))
        with self._changed:
            if self.waiting + len(rows) > self._max_queue:
                raise RequestError(429, f"{self.waiting} rows are waiting already, the queue holds {self._max_queue}")
            for number, ids in enumerate(rows):
                self._buckets[bisect.bisect_left(self._widths, len(ids))].append(_Row(job, number, ids))
            self.waiting += len(rows)
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Finish the waiting rows, then end the threads. Returns at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def join(self, seconds: float) -> bool:
        """Wait for a closed batcher's threads. Returns whether they have ended."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while True:
            batch = self._next_batch()
            if batch is None:
                return
            wanted = [row for row in batch if not row.job.future.cancelled()]
            if wanted:
                self._observe(len(wanted))
                self._run(wanted)

    def _next_batch(self) -> list[_Row] | None:
        with self._changed:
            while True:
                bucket = min((one for one in self._buckets if one), key=lambda one: one[0].job.arrived, default=None)
                if bucket is None:
                    if self._closed:
                        return None
                    self._changed.wait()
                    continue
                patience = bucket[0].job.arrived + self._max_delay - time.monotonic()
                if patience <= 0 or len(bucket) >= self._max_batch or self._closed:
                    return self._take(bucket)
                self._changed.wait(patience)

    def _take(self, bucket: deque[_Row]) -> list[_Row]:
        batch = [bucket.popleft() for _ in range(min(len(bucket), self._max_batch))]
        self.waiting -= len(batch)
        return batch

    def _run(self, batch: list[_Row]) -> None:
        """One failing row must not fail the others, so a failed batch is retried row by row."""
        results: Arrays | Exception
        try:
            results = self._infer([row.ids for row in batch])
        except EngineError as error:
            if len(batch) > 1:
                for row in batch:
                    self._run([row])
                return
            results = error
        except Exception as error:  # a bug: this thread must outlive it
            logging.getLogger("lianzi.serving").exception("a batch of %d rows failed", len(batch))
            results = error
        loop = batch[0].job.future.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(_deliver, batch, results)


def widths(max_length: int) -> list[int]:
    """The buckets' upper bounds in tokens: powers of two, then `max_length`."""
    ends, end = [], SHORTEST
    while end < max_length:
        ends.append(end)
        end *= 2
    return [*ends, max_length]


def _deliver(batch: list[_Row], results: Arrays | Exception) -> None:
    for place, row in enumerate(batch):
        job = row.job
        if job.future.done():
            continue
        if isinstance(results, Exception):
            job.future.set_exception(results)
            continue
        job.results[row.number] = {name: values[place] for name, values in results.items()}
        job.missing -= 1
        if not job.missing:
            job.future.set_result(job.results)  # type: ignore[arg-type]


def stacked(rows: Sequence[Arrays], name: str) -> np.ndarray:
    """One output of several rows, (rows, ...), of the same shape in each."""
    return np.stack([row[name] for row in rows])
