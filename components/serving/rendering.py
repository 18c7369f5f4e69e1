"""A bundle's chat template, rendered in a process of its own.

A template is a program from whoever made the model. Jinja's sandbox keeps it from reaching out, not from running for
ever, and neither a thread nor one power of two large numbers can be stopped; a process can.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from components.runtime.generation.chat import MOST_CHARACTERS, refused
from components.serving.render_process import SECONDS

PACKAGES = Path(__file__).parents[2]
COMMAND = (sys.executable, "-P", "-m", "components.serving.render_process")
INTERPRETERS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
LONGEST_LINE = 12 * MOST_CHARACTERS + 1000
"""Bytes of an answer: a character is two escapes of six at most."""


class Renderer:
    """Renders one template, a conversation at a time. Its process begins with the first and goes on until `close`."""

    def __init__(self, template: str, tokens: Mapping[str, str]) -> None:
        self._given = _line({"template": template, "tokens": dict(tokens)})
        self._turn = asyncio.Lock()
        self._process: asyncio.Task[Process] | None = None

    async def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Render the prompt. Cancelling kills the process. Raises DataError where the template refuses or fails."""
        async with self._turn:
            process = await self._running()
            try:
                answer = await _asked(process, messages)
            except BaseException:
                await self.close()
                raise
            if answer is None:
                self._process = None
                raise refused(_ended(await process.wait()))
        if "refused" in answer:
            raise refused(answer["refused"])
        return answer["prompt"]

    async def close(self) -> None:
        """End the process, whatever it is doing."""
        started, self._process = self._process, None
        if started is None:
            return
        if not started.done():
            started.cancel()
            await asyncio.wait({started})
        if not started.cancelled() and not started.exception():
            await _end(started.result())

    async def _running(self) -> Process:
        begun = self._process
        if begun is None or (begun.done() and (begun.exception() or begun.result().returncode is not None)):
            begun = self._process = asyncio.create_task(self._start())
        # One that begins may go on beginning: else a short time limit would never see one ready.
        return await asyncio.shield(begun)

    async def _start(self) -> Process:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, stdin=PIPE, stdout=PIPE, limit=LONGEST_LINE, env=_environment()
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(self._given)
            await process.stdout.readline()
        except asyncio.CancelledError:
            await _end(process)
            raise
        return process


def _environment() -> dict[str, str]:
    """The environment variables that the interpreter needs. Others may contain passwords, and the template is
    untrusted.
    """
    kept = {name: os.environ[name] for name in INTERPRETERS if name in os.environ}
    places = [str(PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(places), "PATH": os.defpath}


async def _end(process: Process) -> None:
    if process.returncode is None:
        # Not its own kill(), which takes the exit code from whoever waits for it in asyncio.
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    await process.wait()


async def _asked(process: Process, messages: Sequence[Mapping[str, str]]) -> dict[str, str] | None:
    """The process's answer; None where it has ended instead."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(_line(list(messages)))
        await process.stdin.drain()
        line = await process.stdout.readline()
    except ConnectionError:
        return None
    return json.loads(line) if line else None


def _line(content: object) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _ended(code: int) -> str:
    return f"it takes more than {SECONDS:g} s" if code == -signal.SIGPROF else f"its process ended with {code}"
