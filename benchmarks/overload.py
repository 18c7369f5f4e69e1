"""Far more asked of `lianzi serve` than it can answer: which codes come back, and what the server's memory does."""

from __future__ import annotations

import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

ALLOWED = {200, 429, 503}
QUEUE, ROWS, CLIENTS = 32, 16, 48
GROWTH_GOAL = 1.1
"""The most that memory may grow by, from the first sixth of the time to the last."""
EVERY = 0.25
"""Seconds between two looks at the memory."""


@dataclass
class Overload:
    """What came of it; memory in bytes."""

    codes: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0
    memory: list[int] = field(default_factory=list)

    @property
    def early(self) -> float:
        return statistics.median(self.memory[: max(len(self.memory) // 6, 1)])

    @property
    def late(self) -> float:
        return statistics.median(self.memory[-max(len(self.memory) // 6, 1) :])

    @property
    def flat(self) -> bool:
        return self.late <= self.early * GROWTH_GOAL

    def line(self) -> str:
        """In words."""
        codes = ", ".join(f"{count:,} x {code}" for code, count in sorted(self.codes.items()))
        memory = [f"{size / 2**20:.1f}" for size in (self.early, self.late, max(self.memory))]
        return (
            f"{codes}; {self.unanswered} without an answer; memory {memory[0]} MiB at the beginning, {memory[1]} MiB "
            f"at the end ({self.late / self.early:.3f}x), {memory[2]} MiB at most"
        )


def overload(port: int, process: int, path: str, texts: Sequence[str], seconds: float) -> Overload:
    """Ask by many clients without a pause, ROWS texts a request, and watch the server's process."""
    found = Overload()
    bodies = [_body(texts[first : first + ROWS]) for first in range(0, min(len(texts), 64 * ROWS), ROWS)]
    end = time.monotonic() + seconds
    counts: list[Counter[int]] = [Counter() for _ in range(CLIENTS)]
    threads = [
        threading.Thread(target=_ask, args=(port, path, bodies[number % len(bodies)], end, counts[number]))
        for number in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    server = psutil.Process(process)
    time.sleep(min(1.0, seconds / 6))  # the first batches make room for themselves
    while time.monotonic() < end:
        found.memory.append(server.memory_info().rss)
        time.sleep(EVERY)
    for thread in threads:
        thread.join()
    for one in counts:
        found.codes += one
    found.unanswered = found.codes.pop(0, 0)
    return found


def server_words(bundle: str, port: int) -> list[str]:
    """A server that has little room."""
    words = [sys.executable, "-m", "cli.main", "serve", bundle, "--port", str(port), "--no-access-log"]
    return [*words, "--max-queue", str(QUEUE), "--max-rows", str(ROWS)]


def seconds_to_restart(words: Sequence[str], port: int, path: str, text: str) -> float:
    """From the start of a process to its first answer, after another one was killed by SIGKILL."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": os.environ | {"OMP_NUM_THREADS": "1"}}
    first = subprocess.Popen(words, **quiet)  # type: ignore[call-overload]
    _first_answer(port, path, text)
    first.kill()
    first.wait()
    begun = time.monotonic()
    second = subprocess.Popen(words, **quiet)  # type: ignore[call-overload]
    _first_answer(port, path, text)
    spent = time.monotonic() - begun
    second.terminate()
    second.wait()
    return spent


def _first_answer(port: int, path: str, text: str, patience: float = 60) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found: Counter[int] = Counter()
        _ask(port, path, _body([text]), 0, found)
        if found[200]:
            return
        time.sleep(0.02)
    sys.exit(f"no answer within {patience:g} s")


def _ask(port: int, path: str, body: bytes, end: float, counts: Counter[int]) -> None:
    """Until the end, at least once; 0 counts what got no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while True:
        try:
            connection.request("POST", path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            counts[answer.status] += 1
        except (OSError, http.client.HTTPException):
            counts[0] += 1
            connection.close()
        if time.monotonic() >= end:
            break
    connection.close()


def _body(texts: Sequence[str]) -> bytes:
    entry = {"name": "text", "datatype": "BYTES", "shape": [len(texts)], "data": list(texts)}
    return json.dumps({"inputs": [entry]}).encode()
