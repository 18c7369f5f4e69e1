from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from components.errors import DataError
from components.runtime.generation.chat import render
from components.serving.rendering import Renderer

LINES = "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"
MESSAGES = [{"role": "system", "content": "Be <brief>."}, {"role": "user", "content": "你好 & 𠀀 \u2028 hello"}]
FOR_EVER = {
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "one sum that no signal handler of Python's interrupts": "{{ 7 ** (messages | length * 99999999) }}",
}
SECONDS = 60


@asynccontextmanager
async def rendering(template: str, tokens: dict[str, str] | None = None) -> AsyncIterator[Renderer]:
    renderer = Renderer(template, tokens or {})
    try:
        async with asyncio.timeout(SECONDS):
            yield renderer
    finally:
        await renderer.close()


async def pid_of(renderer: Renderer) -> int:
    assert renderer._process is not None
    return (await renderer._process).pid


def test_conversations_are_rendered_as_in_this_process_one_process_for_all() -> None:
    async def ask() -> None:
        async with rendering(LINES, {"bos_token": "<s>"}) as renderer:
            found = await asyncio.gather(*(renderer.render(MESSAGES[:count]) for count in (1, 2, 1)))
            pid = await pid_of(renderer)
            assert found == [render(LINES, MESSAGES[:count], {"bos_token": "<s>"}) for count in (1, 2, 1)]
            await renderer.render(MESSAGES)
            assert await pid_of(renderer) == pid

    asyncio.run(ask())


def test_what_a_template_refuses_is_told_and_the_next_conversation_is_rendered() -> None:
    template = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}ok"

    async def ask() -> None:
        async with rendering(template) as renderer:
            with pytest.raises(DataError, match="refuses these messages: no system"):
                await renderer.render(MESSAGES)
            assert await renderer.render(MESSAGES[1:]) == "ok"

    asyncio.run(ask())


@pytest.mark.parametrize("template", FOR_EVER.values(), ids=FOR_EVER)
def test_a_template_that_never_ends_is_ended_by_its_own_bound(template: str) -> None:
    async def ask() -> None:
        once = "{% if messages | length > 1 %}" + template + "{% endif %}ok"
        async with rendering(once) as renderer:
            with pytest.raises(DataError, match="it takes more than 1 s"):
                await renderer.render(MESSAGES)
            assert await renderer.render(MESSAGES[:1]) == "ok"

    asyncio.run(ask())


@pytest.mark.parametrize("template", FOR_EVER.values(), ids=FOR_EVER)
def test_a_template_that_never_ends_is_killed_when_the_request_is_out_of_time(template: str) -> None:
    async def ask() -> None:
        async with rendering("{% if messages | length > 1 %}" + template + "{% endif %}ok") as renderer:
            await renderer.render(MESSAGES[:1])
            pid = await pid_of(renderer)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await renderer.render(MESSAGES)
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    asyncio.run(ask())


def test_a_request_without_time_to_wait_for_the_process_leaves_it_to_the_next() -> None:
    async def ask() -> None:
        async with rendering("ok") as renderer:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await renderer.render(MESSAGES)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await renderer.render(MESSAGES)
            begun = renderer._process
            assert await renderer.render(MESSAGES) == "ok"
            assert renderer._process is begun

    asyncio.run(ask())


def test_a_process_that_is_beginning_is_ended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.serving.rendering.COMMAND", ("sleep", "100"))

    async def ask() -> None:
        async with rendering("ok") as renderer:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await renderer.render(MESSAGES)

    begun = time.monotonic()
    asyncio.run(ask())
    assert time.monotonic() - begun < 50


def test_a_process_that_cannot_begin_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask() -> None:
        async with rendering("ok") as renderer:
            with monkeypatch.context() as patch:
                patch.setattr("components.serving.rendering.COMMAND", ("no-such-program",))
                with pytest.raises(FileNotFoundError):
                    await renderer.render(MESSAGES)
                patch.setattr("components.serving.rendering.COMMAND", ("false",))
                with pytest.raises(DataError, match="its process ended with 1"):
                    await renderer.render(MESSAGES)
            assert await renderer.render(MESSAGES) == "ok"

    asyncio.run(ask())


def test_a_process_that_died_meanwhile_is_begun_anew() -> None:
    async def ask() -> None:
        async with rendering("ok") as renderer:
            await renderer.render(MESSAGES)
            assert renderer._process is not None
            process = await renderer._process
            process.kill()
            await process.wait()
            assert await renderer.render(MESSAGES) == "ok"

    asyncio.run(ask())


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="Linux tells what a process's environment is")
def test_the_process_knows_nothing_of_this_ones_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")

    async def ask() -> bytes:
        async with rendering("ok") as renderer:
            await renderer.render(MESSAGES)
            return Path(f"/proc/{await pid_of(renderer)}/environ").read_bytes()

    assert b"secret" not in asyncio.run(ask())
