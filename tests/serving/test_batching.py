from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from components.errors import EngineError
from components.serving import batching
from components.serving.batching import Batcher, stacked, widths
from components.serving.request_error import RequestError


class Recorder:
    """An engine that answers each row with its sum and remembers its batches; `go` holds it back."""

    def __init__(self) -> None:
        self.batches: list[list[list[int]]] = []
        self.go = threading.Event()

    def __call__(self, rows: Sequence[list[int]]) -> dict[str, np.ndarray]:
        self.go.wait(10)
        self.batches.append(list(rows))
        if any(13 in row for row in rows):
            raise EngineError("thirteen")
        return {"sum": np.array([[sum(row)] for row in rows])}


def batcher(recorder: Recorder, **changes: Any) -> Batcher:
    settings: dict[str, Any] = {"max_length": 64, "max_batch": 4, "max_queue": 100, "max_delay": 0.01}
    return Batcher(recorder, observe=lambda rows: None, **settings | changes)


def test_buckets_end_at_powers_of_two_and_at_the_longest_row() -> None:
    assert widths(64) == [8, 16, 32, 64]
    assert widths(100) == [8, 16, 32, 64, 100]
    assert widths(5) == [5]


def test_rows_come_back_in_order_whatever_their_lengths() -> None:
    async def ask() -> np.ndarray:
        recorder = Recorder()
        recorder.go.set()
        queue = batcher(recorder)
        found = stacked(await queue.submit([[1] * length for length in (40, 2, 17, 64, 3, 1)]), "sum")
        queue.close()
        return found

    assert asyncio.run(ask()).ravel().tolist() == [40, 2, 17, 64, 3, 1]


def test_rows_of_many_requests_of_like_length_run_together() -> None:
    async def ask() -> list[list[list[int]]]:
        recorder = Recorder()
        queue = batcher(recorder)
        futures = [queue.submit([[number] * length]) for number in range(1, 5) for length in (3, 20)]
        recorder.go.set()
        await asyncio.gather(*futures)
        queue.close()
        return recorder.batches

    batches = asyncio.run(ask())
    assert sorted(len(batch) for batch in batches) == [4, 4]
    for batch in batches:
        assert len({len(row) for row in batch}) == 1


def test_a_lone_row_waits_no_longer_than_the_delay() -> None:
    async def ask() -> float:
        recorder = Recorder()
        recorder.go.set()
        queue = batcher(recorder, max_delay=0.05)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await queue.submit([[1]])
        queue.close()
        return loop.time() - begun

    assert 0.05 <= asyncio.run(ask()) < 2


def test_a_full_queue_refuses_whole_requests_and_keeps_what_it_took() -> None:
    async def ask() -> list[list[int]]:
        recorder = Recorder()
        queue = batcher(recorder, max_queue=3, max_delay=5)
        taken = queue.submit([[1], [2]])
        with pytest.raises(RequestError, match="2 rows are waiting already, the queue holds 3") as refused:
            queue.submit([[3], [4]])
        assert refused.value.status == 429
        also = queue.submit([[5]])
        recorder.go.set()
        queue.close()
        return [stacked(await one, "sum").ravel().tolist() for one in (taken, also)]

    assert asyncio.run(ask()) == [[1, 2], [5]]


def test_a_row_that_the_engine_fails_on_takes_no_other_with_it() -> None:
    async def ask() -> list[Any]:
        recorder = Recorder()
        queue = batcher(recorder)
        futures = [queue.submit([[number]]) for number in (1, 13, 2)]
        recorder.go.set()
        found = await asyncio.gather(*futures, return_exceptions=True)
        queue.close()
        return found

    one, thirteen, two = asyncio.run(ask())
    assert [row["sum"].item() for row in (*one, *two)] == [1, 2]
    assert isinstance(thirteen, EngineError)


def test_a_bug_in_the_model_reaches_the_request_and_the_thread_lives_on() -> None:
    def broken(rows: Sequence[list[int]]) -> dict[str, np.ndarray]:
        if rows[0] == [1]:
            raise ZeroDivisionError
        return {"zero": np.zeros(len(rows))}

    async def ask() -> None:
        queue = Batcher(broken, 64, 4, 100, 0.0, lambda rows: None)
        with pytest.raises(ZeroDivisionError):
            await queue.submit([[1]])
        assert await queue.submit([[2]]) == [{"zero": 0}]
        queue.close()

    asyncio.run(ask())


def test_a_cancelled_request_is_not_run() -> None:
    async def ask() -> list[list[list[int]]]:
        recorder = Recorder()
        queue = batcher(recorder, max_delay=0.05)
        first, second = queue.submit([[1]]), queue.submit([[2]])
        first.cancel()
        recorder.go.set()
        await second
        queue.close()
        return recorder.batches

    assert asyncio.run(ask()) == [[[2]]]


def test_closing_finishes_what_waits_and_ends_the_threads() -> None:
    async def ask() -> np.ndarray:
        recorder = Recorder()
        queue = batcher(recorder, max_delay=30, threads=2)
        future = queue.submit([[1] * length for length in range(1, 40)])
        queue.close()
        recorder.go.set()
        found = stacked(await future, "sum")
        queue.join(10)
        assert not any(thread.is_alive() for thread in queue._threads)
        return found

    assert asyncio.run(ask()).ravel().tolist() == list(range(1, 40))


@pytest.mark.parametrize("brief", [True, False])
def test_a_batch_that_is_known_to_be_brief_runs_in_the_event_loop(brief: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "BRIEF", 60.0 if brief else 0.0)
    threads = []

    def infer(rows: Sequence[list[int]]) -> dict[str, np.ndarray]:
        threads.append(threading.current_thread() is threading.main_thread())
        return {"zero": np.zeros(len(rows))}

    async def ask() -> None:
        queue = Batcher(infer, 64, 4, 100, 0.0, lambda rows: None)
        for _ in range(3):
            await queue.submit([[1], [2]])
        queue.close()

    asyncio.run(ask())
    assert threads == [False, brief, brief]  # of the first nothing is known
