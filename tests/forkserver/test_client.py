"""components.forkserver.client: who has a fork, who works alone, and who ends whom."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from components.forkserver.client import ADDRESS
from components.orphans import DRIVER_VARIABLE, LOOK_SECONDS
from tests.forkserver.conftest import Start
from tests.preloaded import preloaded


@pytest.mark.parametrize("address", ["", "/no/such/socket"])
def test_without_a_server_a_process_works_alone(start: Start, address: str) -> None:
    process = start(**{ADDRESS: address})
    told, _ = process.communicate(timeout=60)
    assert (told.split(), process.returncode) == (["alone", "[]", "Ada"], 7)


def test_a_process_of_another_environment_works_alone(start: Start, program: Path) -> None:
    text = program.read_text(encoding="utf-8")
    elsewhere = text.replace("hand_over(", "import sys; sys.prefix = '/other'; hand_over(")
    program.write_text(elsewhere, encoding="utf-8")
    told, _ = start().communicate(timeout=60)
    assert told.startswith("alone")


def test_a_process_without_standard_input_works_alone(program: Path) -> None:
    command = ["sh", "-c", f"exec {sys.executable} -m program <&-"]
    environment = os.environ | preloaded() | {"NAME": "Ada"}
    done = subprocess.run(command, cwd=program.parent, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.returncode) == (["alone", "[]", "Ada"], 7)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_who_is_ended_ends_its_fork(start: Start, number: signal.Signals) -> None:
    process = start("wait")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("forked")
    worker, child = (psutil.Process(int(word)) for word in process.stdout.readline().split())
    process.send_signal(number)
    assert process.wait(60) == -number
    ended = [worker, child] if number == signal.SIGKILL else [worker]  # asked politely, it sees to its own
    assert psutil.wait_procs(ended, timeout=30)[1] == []
    if child.is_running():
        child.kill()


def test_a_fork_that_is_killed_is_told_as_killed(start: Start) -> None:
    process = start("wait")
    assert process.stdout is not None
    process.stdout.readline()
    worker, child = (psutil.Process(int(word)) for word in process.stdout.readline().split())
    worker.kill()
    assert process.wait(60) == -signal.SIGKILL
    child.kill()


def test_a_fork_that_nobody_looks_after_ends_with_its_process(start: Start) -> None:
    process = start("wait")
    assert process.stdout is not None
    process.stdout.readline()
    worker, child = (psutil.Process(int(word)) for word in process.stdout.readline().split())
    worker.parent().kill()
    assert process.wait(60) == -signal.SIGKILL
    assert psutil.wait_procs([worker, child], timeout=30)[1] == []


def test_a_fork_is_asked_once_to_stop_when_its_flow_is_gone(start: Start) -> None:
    """A training ends at once, without a checkpoint, when it is asked twice."""
    flow = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    process = start("count", **{DRIVER_VARIABLE: str(flow.pid)})
    assert process.stdout is not None
    assert process.stdout.readline().startswith("forked")
    process.stdout.readline()
    flow.kill()
    flow.wait()
    time.sleep(4 * LOOK_SECONDS)
    process.kill()
    assert process.stdout.read() == "asked\n"
    process.wait()


def test_a_server_is_found_by_a_path_that_is_too_long_for_a_socket(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.symlink_to(Path(preloaded()[ADDRESS]).parent)
    told, _ = start(**{ADDRESS: str(folder / "socket")}).communicate(timeout=60)
    assert told.startswith("forked")
