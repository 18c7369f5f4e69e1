"""Stages' processes in tests: forks of a server that all workers of a test run share."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from uuid import uuid4

from filelock import FileLock

from components.forkserver.client import ADDRESS

ROOT = Path(__file__).parents[1]


@cache
def preloaded(name: str = "first") -> dict[str, str]:
    """Environment variables with which `python -m components` is forked from the server of that name. PYTHONPATH is
    that of a project in the repository. The first call of a test run starts the server, which ends with the run.

    All forks of a server have the same order of Python's sets. A test that repeats stages to compare bytes asks for
    those of another server, which has another order.
    """
    worker = "PYTEST_XDIST_WORKER" in os.environ
    run = os.environ["PYTEST_XDIST_TESTRUNUID"] if worker else uuid4().hex
    folder = Path(tempfile.gettempdir(), f"preloaded-{name}-{run[:16]}")
    folder.mkdir(exist_ok=True)
    address = folder / "socket"
    with FileLock(folder / "lock"):
        if not address.exists():
            command = [sys.executable, "-m", "components.forkserver.server", str(address)]
            command.append(str(os.getppid() if worker else os.getpid()))
            server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
    return {"PYTHONPATH": str(ROOT), ADDRESS: str(address)}
