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
from pathlib import Path

from components.deployment.generation.chat import MOST_CHARACTERS, refused
from components.serving.render_process import SECONDS

PACKAGES = Path(__file__).parents[2]
COMMAND = (sys.executable, "-P", "-m", "components.serving.render_process")
LONGEST_LINE = 12 * MOST_CHARACTERS + 1000
"""Bytes of an answer: a character is two escapes of six at most."""


class Renderer:
    """Renders one template, a conversation at a time. Its process begins with the first and goes on until `close`."""

    def __init__(self, template: str, tokens: Mapping[str, str]) -> None:
        self._given = _line({"template": template, "tokens": dict(tokens)})
        self._turn = asyncio.Lock()
        self._process: asyncio.Task[Process] | None = None

    async def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The prompt. Cancel it, and the process is killed. Raises DataError where the template refuses or fails."""
        async with self._turn:
            process = await self._running()
            answer = None
            try:
                answer = await _asked(process, messages)
            finally:
                if answer is None:
                    await self.close()
        if answer is None:
            raise refused(_ended(await process.wait()))
        if "refused" in answer:
            raise refused(answer["refused"])
        return answer["prompt"]

    async def close(self) -> None:
        """End the process, whatever it is doing."""
        started, self._process = self._process, None
        if started is None:
            return
        process = await started
        if process.returncode is None:
            process.kill()
        await process.wait()

    async def _running(self) -> Process:
        begun = self._process
        if begun is None or (begun.done() and (begun.exception() or begun.result().returncode is not None)):
            begun = self._process = asyncio.create_task(self._start())
        # One that begins may go on beginning: else a short time limit would never see one ready.
        return await asyncio.shield(begun)

    async def _start(self) -> Process:
        # Nothing of this process's environment: it may hold passwords, and the template is not ours.
        environment = {"PYTHONPATH": str(PACKAGES), "PATH": os.defpath}
        process = await asyncio.create_subprocess_exec(
            *COMMAND, stdin=PIPE, stdout=PIPE, limit=LONGEST_LINE, env=environment
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(self._given)
        await process.stdout.readline()
        return process


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
