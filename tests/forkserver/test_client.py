"""components.forkserver.client: who has a fork, who works alone, and who ends whom."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from components.forkserver.client import ADDRESS
from tests.forkserver.conftest import Start


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
