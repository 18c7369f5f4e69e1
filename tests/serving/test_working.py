from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from components.serving.working import Workers

ROOT = Path(__file__).parents[2]


def test_what_the_work_returns_or_raises_comes_back() -> None:
    async def ask() -> None:
        workers = Workers()
        assert await workers.run(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await workers.run(divmod, 7, 0)
        assert workers.busy == 0

    asyncio.run(ask())


def test_work_that_nobody_waits_for_holds_its_place_until_it_is_done() -> None:
    async def ask() -> None:
        workers, go = Workers(most=1), threading.Event()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await workers.run(go.wait)
        assert workers.busy == 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await workers.run(int)
        go.set()
        assert await asyncio.wait_for(workers.run(int), 5) == 0

    asyncio.run(ask())


def test_threads_are_kept_and_no_more_than_are_needed() -> None:
    async def ask() -> None:
        workers = Workers(most=3)
        assert len({await workers.run(threading.get_ident) for _ in range(5)}) == 1
        together = threading.Barrier(3)
        assert len(await asyncio.gather(*(workers.run(together.wait, 10) for _ in range(3)))) == 3
        assert len(set(await asyncio.gather(*(workers.run(threading.get_ident) for _ in range(9))))) <= 3

    asyncio.run(ask())


def test_work_that_never_ends_keeps_neither_the_loop_nor_the_process() -> None:
    program = """
import asyncio, threading
from components.serving.working import Workers

async def ask():
    try:
        async with asyncio.timeout(0.1):
            await Workers().run(threading.Event().wait)
    except TimeoutError:
        print("given up")

asyncio.run(ask())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "given up\n", "")
