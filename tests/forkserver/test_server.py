"""components.forkserver: who does the work of `python -m MODULE`, and what happens to it when somebody ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from components.forkserver.client import ADDRESS
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
sys.exit(7)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    return tmp_path


def started(folder: Path, *words: str, variables: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    environment = os.environ | preloaded() | {"NAME": "Ada"} | (variables or {})
    command = [sys.executable, "-m", "program", *words]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)


def test_a_fork_has_the_libraries_the_words_the_environment_and_the_exit_code(folder: Path) -> None:
    process = started(folder, "a b")
    told, _ = process.communicate(timeout=60)
    assert (told.split(), process.returncode) == (["forked", "['a", "b']", "Ada"], 7)


@pytest.mark.parametrize("address", ["", "/no/such/socket"])
def test_without_a_server_a_process_works_alone(folder: Path, address: str) -> None:
    process = started(folder, variables={ADDRESS: address})
    told, _ = process.communicate(timeout=60)
    assert (told.split(), process.returncode) == (["alone", "[]", "Ada"], 7)


def test_a_process_of_another_environment_works_alone(folder: Path) -> None:
    other = PROGRAM.replace("hand_over(", "import sys; prefix, sys.prefix = sys.prefix, '/other'; hand_over(")
    (folder / "program.py").write_text(other, encoding="utf-8")
    told, _ = started(folder).communicate(timeout=60)
    assert told.startswith("alone")


def test_an_edit_is_seen_by_the_next_fork(folder: Path) -> None:
    started(folder).wait(60)
    (folder / "program.py").write_text(PROGRAM.replace("sys.exit(7)", "sys.exit(8)"), encoding="utf-8")
    assert started(folder).wait(60) == 8


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_who_is_ended_ends_its_fork(folder: Path, number: signal.Signals) -> None:
    process = started(folder, "wait")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("forked")
    worker, child = (psutil.Process(int(word)) for word in process.stdout.readline().split())
    process.send_signal(number)
    assert process.wait(60) == -number
    ended = [worker, child] if number == signal.SIGKILL else [worker]  # asked politely, it sees to its own
    assert psutil.wait_procs(ended, timeout=30)[1] == []
    if child.is_running():
        child.kill()
