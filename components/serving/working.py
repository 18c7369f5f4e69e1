"""Work that would keep the event loop from other requests, in threads that nobody has to wait for."""

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
    """Up to `most` threads, begun as they are needed, for one event loop.

    Unlike asyncio.to_thread, whose threads are waited for when the loop and the interpreter end: work that never ends
    (a tokenizer's pattern may see to that) holds its place here, and nothing else.
    """

    def __init__(self, most: int = MOST) -> None:
        self.busy = 0
        """Threads at work, those included whose result nobody waits for any more."""
        self._begun = 0
        self._free = asyncio.Semaphore(most)
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    async def run(self, work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
        """What `work` returns or raises. Where the wait is cancelled, the thread still works to its end."""
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
        """Threads are kept: what encodes keeps a cache in each."""
        if self.busy > self._begun:
            threading.Thread(target=_do_all, args=(self._work,), daemon=True).start()
            self._begun += 1


def _do_all(work: queue.SimpleQueue[Callable[[], None]]) -> None:
    while True:
        work.get()()
