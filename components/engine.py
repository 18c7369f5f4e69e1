"""Where work on many independent items is done: the processes of this machine, or a Ray cluster.

LIANZI_ENGINE: `local` (the default) or a Ray address (`auto`, `HOST:6379`, `ray://HOST:10001`). LIANZI_WORKERS:
processes of the local engine, all cores unless set. Neither changes a result: results come in the order of the items.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import Protocol

from components import orphans
from components.errors import LianziError
from components.ray_engine import IN_FLIGHT, Item, Result, ray_engine
from components.variables import workers

TRIES = 3
"""Times that an item is tried whose worker died; an exception that the function raises is never tried again."""


class Engine(Protocol):
    """What `open_engine` gives."""

    workers: int

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """function(item) for each item, in the items' order, a few items ahead of who reads the results.

        `function` is of a module's top level (or a functools.partial of one) and depends on nothing but its item.
        """
        ...


@contextmanager
def open_engine() -> Iterator[Engine]:
    """The engine that the environment names."""
    address = os.environ.get("LIANZI_ENGINE", "local")
    if address != "local":
        with ray_engine(address) as cluster:
            yield cluster
        return
    workers = worker_count()
    if workers == 1:
        yield InProcess()
        return
    engine = LocalEngine(workers)
    try:
        yield engine
    finally:
        engine.close()


class InProcess:
    """One worker is this process itself."""

    workers = 1

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        return map(function, items)


class LocalEngine:
    """Processes of this machine, started at the first item. One that is killed is replaced, its item tried again."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        waiting: deque[tuple[Item, int, Future[Result]]] = deque()
        rest = iter(items)
        while True:
            for item in islice(rest, IN_FLIGHT * self.workers - len(waiting)):
                waiting.append((item, 1, self._submit(function, item)))
            if not waiting:
                return
            item, tries, future = waiting.popleft()
            try:
                yield future.result()
            except BrokenProcessPool:
                if tries == TRIES:
                    raise LianziError(
                        f"a worker died {TRIES} times over the same part of the work",
                        "was it short of memory? try with LIANZI_WORKERS=1",
                    ) from None
                # One death breaks the whole pool: everything handed out is handed out again, in its order.
                self.close()
                again = [(item, tries + 1), *((other, count) for other, count, _ in waiting)]
                waiting = deque((other, count, self._submit(function, other)) for other, count in again)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _submit(self, function: Callable[[Item], Result], item: Item) -> Future[Result]:
        if self._pool is None:
            # Not forked: libraries' threads do not survive a fork.
            self._pool = ProcessPoolExecutor(self.workers, multiprocessing.get_context("spawn"), _prepare)
        try:
            return self._pool.submit(function, item)
        except BrokenProcessPool as error:
            # A worker died before this item was handed out: told where the results are awaited, as all others are.
            lost: Future[Result] = Future()
            lost.set_exception(error)
            return lost


def _prepare() -> None:
    """A worker leaves Ctrl-C to the process that started it, ends with it, and computes with one thread."""
    import signal

    orphans.leave_with_starter()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
        os.environ.setdefault(name, "false" if name.startswith("TOKEN") else "1")


def worker_count() -> int:
    """Processes or threads at work at once: what the environment names, or the processors that this process may use."""
    if (given := workers()) is not None:
        return given
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
