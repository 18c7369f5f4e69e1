"""Server processes for tests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    address: str
    port: int


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    folder: Path,
    what: str | Path,
    *words: object,
    port: int = 0,
    scheme: str = "http",
    program: Sequence[str] = ("-m", "cli.main"),
) -> Iterator[Running]:
    """`lianzi serve` in a folder, ready; killed at the end if it still runs. `program`: Python's words for `lianzi`."""
    port = port or free_port()
    command = [sys.executable, *program, "serve", str(what), "--port", str(port), *map(str, words)]
    with (folder / "serve.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=log)
    server = Running(process, f"{scheme}://127.0.0.1:{port}", port)
    try:
        _await_ready(server, folder / "serve.log")
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def _await_ready(server: Running, log: Path, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            if httpx.get(f"{server.address}/v2/health/ready", timeout=2, verify=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())
