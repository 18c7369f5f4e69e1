"""A program that says who does its work, and starts itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.preloaded import preloaded

PROGRAM = """
from components.forkserver.client import hand_over
hand_over("program")
import os, subprocess, sys, time
forked, own = "torch" in sys.modules, "components.stages" in sys.modules
print("forked" if forked else "alone", "with the project's modules" if own else "", sys.argv[1:], os.environ["NAME"])
if sys.argv[1:] == ["wait"]:
    child = subprocess.Popen(["sleep", "600"])
    print(os.getpid(), child.pid, flush=True)
    child.wait()
if sys.argv[1:] == ["count"]:
    import signal
    from components import orphans
    signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))
    orphans.stop_with_drivers()
    print(os.getpid(), flush=True)
    while True:
        time.sleep(60)
if sys.argv[1:] == ["tell"]:
    sys.exit("no rows")
sys.exit(7)
"""


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The program's file."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


@pytest.fixture
def start(program: Path) -> Start:
    """Starts the program, with words and variables of the environment."""

    def started(*words: str, **variables: str) -> subprocess.Popen[str]:
        environment = os.environ | preloaded() | {"NAME": "Ada"} | variables
        command = [sys.executable, "-m", "program", *words]
        return subprocess.Popen(
            command, cwd=program.parent, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    return started
