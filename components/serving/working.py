"""Threads for work that would block the event loop; the process can end while they run."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")
MOST = (os.cpu_count() or 1) + 4


class Workers:
    """Up to `most` threads, started on demand, for one event loop.

    Unlike asyncio.to_thread, whose threads block the end of the loop and the interpreter: work that never ends (a
    tokenizer's pattern may cause that) keeps its thread here, and nothing else.
    """

    def __init__(self, most: int = MOST) -> None:
        self.busy = 0
        """The number of working threads, those with cancelled results included."""
        self._begun = 0
        self._free = asyncio.Semaphore(most)
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    async def run(self, work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
        """The result of `work`, or its error. Cancelling the wait does not stop the thread."""
        await self._free.acquire()
        self.busy += 1
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()

        def deliver(result: Result | None, error: BaseException | None) -> None:
            self.busy -= 1
            self._free.release()
            if future.done():
                return
            if error is None:
                future.set_result(result)  # type: ignore[arg-type]
            else:
                future.set_exception(error)

        def do() -> None:
            outcome: tuple[Result | None, BaseException | None]
            try:
                outcome = work(*args, **kwargs), None
            except BaseException as error:
                outcome = None, error
            if not loop.is_closed():
                loop.call_soon_threadsafe(deliver, *outcome)

        try:
            self._begin()
        except RuntimeError as error:  # no more threads on this machine
            deliver(None, error)
        else:
            self._work.put(do)
        return await future

    def _begin(self) -> None:
        """Threads are kept, since each has its own cache for encoding."""
        if self.busy > self._begun:
            threading.Thread(target=_do_all, args=(self._work,), daemon=True).start()
            self._begun += 1


def _do_all(work: queue.SimpleQueue[Callable[[], None]]) -> None:
    while True:
        work.get()()
