from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from components.errors import EngineError
from components.runtime.generation.sampling import Sampling
from components.serving.continuous_batching import ContinuousBatcher, Delta, GenerationRequest, Job
from components.serving.request_error import RequestError
from tests.serving.scripted import ScriptedGenerator

SECONDS = 10


def generation_request(text: str, tokens: int = 3, stop: tuple[str, ...] = ()) -> GenerationRequest:
    return GenerationRequest(list(text.encode()), Sampling(tokens, 1.0, 1.0, 0, stop))


@asynccontextmanager
async def stepping(generator: ScriptedGenerator, max_queue: int = 10) -> AsyncIterator[ContinuousBatcher]:
    continuous_batcher = ContinuousBatcher(generator, max_queue, lambda rows: None, lambda tokens: None)
    try:
        async with asyncio.timeout(SECONDS):
            yield continuous_batcher
    finally:
        generator.go.set()
        continuous_batcher.close()
        await asyncio.to_thread(continuous_batcher.join, SECONDS)
        assert not continuous_batcher._thread.is_alive()


async def text_of(job: Job) -> str:
    return "".join([delta.text async for delta in job])


def test_pieces_come_as_they_are_made_and_the_last_says_why_it_is_the_last() -> None:
    async def ask() -> tuple[list[Delta], int]:
        generator = ScriptedGenerator()
        generator.go.set()
        async with stepping(generator) as continuous_batcher:
            job = continuous_batcher.submit([generation_request("abc")])
            return [delta async for delta in job], job.tokens

    deltas, tokens = asyncio.run(ask())
    assert deltas == [Delta(0, "a", None), Delta(0, "b", None), Delta(0, "c", "length")]
    assert tokens == 3


def test_a_short_answer_does_not_wait_for_a_long_one_and_its_place_is_taken_at_once() -> None:
    async def ask() -> list[list[str]]:
        generator = ScriptedGenerator(max_batch=2)
        async with stepping(generator) as continuous_batcher:
            jobs = [
                continuous_batcher.submit([generation_request(text, tokens)])
                for text, tokens in (("long", 6), ("tiny", 2), ("next", 2))
            ]
            generator.go.set()
            await asyncio.gather(*map(text_of, jobs))
            return generator.steps

    steps = asyncio.run(ask())
    last = max(number for number, step in enumerate(steps) if "tiny" in step)
    assert steps[last] == ["long", "tiny"]
    assert steps[last + 1] == ["long", "next"]
    assert steps[-1] == ["long"]


def test_a_request_of_many_rows_takes_turns_with_others() -> None:
    async def ask() -> list[list[str]]:
        generator = ScriptedGenerator(max_batch=1)
        async with stepping(generator) as continuous_batcher:
            blocking = continuous_batcher.submit([generation_request("first", 1)])
            await asyncio.sleep(0.1)
            many = continuous_batcher.submit([generation_request(f"m{number}", 1) for number in range(3)])
            one = continuous_batcher.submit([generation_request("one", 1)])
            generator.go.set()
            await asyncio.gather(*map(text_of, (blocking, many, one)))
            return generator.steps

    assert asyncio.run(ask()) == [["first"], ["m0"], ["one"], ["m1"], ["m2"]]


def test_what_nobody_waits_for_leaves_before_the_next_step() -> None:
    async def ask() -> ScriptedGenerator:
        generator = ScriptedGenerator(max_batch=1)
        async with stepping(generator) as continuous_batcher:
            gone, waiting, kept = (
                continuous_batcher.submit([generation_request(text, 30)]) for text in ("gone", "waiting", "kept")
            )
            await asyncio.sleep(0.1)
            gone.cancel()
            waiting.cancel()
            generator.go.set()
            assert len(await text_of(kept)) == 30
            async with asyncio.timeout(10):  # its last token is told a moment before it leaves
                while continuous_batcher.active:
                    await asyncio.sleep(0.01)
            assert continuous_batcher.waiting == 0
        return generator

    steps = asyncio.run(ask()).steps
    assert steps.count(["gone"]) == 1
    assert ["waiting"] not in steps


def test_a_full_queue_refuses_and_keeps_what_it_has() -> None:
    async def ask() -> None:
        generator = ScriptedGenerator(max_batch=1)
        async with stepping(generator, max_queue=2) as continuous_batcher:
            begun = continuous_batcher.submit([generation_request("a")])
            await asyncio.sleep(0.1)
            waiting = continuous_batcher.submit([generation_request("b"), generation_request("c")])
            with pytest.raises(RequestError, match="2 rows are waiting already") as refused:
                continuous_batcher.submit([generation_request("d")])
            assert refused.value.status == 429
            generator.go.set()
            assert await text_of(begun) == "aaa"
            assert sorted(await text_of(waiting)) == list("bbbccc")

    asyncio.run(ask())


def test_a_row_that_the_engine_fails_on_takes_no_other_with_it() -> None:
    async def ask() -> None:
        generator = ScriptedGenerator()
        async with stepping(generator) as continuous_batcher:
            good, bad = (
                continuous_batcher.submit([generation_request("a")]),
                continuous_batcher.submit([generation_request("\r")]),
            )
            generator.go.set()
            assert await text_of(good) == "aaa"
            with pytest.raises(EngineError, match="thirteen"):
                await text_of(bad)

    asyncio.run(ask())


def test_a_closed_stepper_finishes_what_it_was_given() -> None:
    async def ask() -> list[str]:
        generator = ScriptedGenerator(max_batch=1)
        async with stepping(generator) as continuous_batcher:
            jobs = [continuous_batcher.submit([generation_request(text)]) for text in "ab"]
            continuous_batcher.close()
            generator.go.set()
            return await asyncio.gather(*map(text_of, jobs))

    assert asyncio.run(ask()) == ["aaa", "bbb"]
