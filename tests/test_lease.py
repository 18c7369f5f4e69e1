"""components.lease between real processes, and one run of a project's pipeline at a time."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.errors import ServiceError
from components.lease import TURN, at_work, lease, turn

HOLD = """
import sys, time
from pathlib import Path
from components.lease import lease
with lease(Path(sys.argv[1]), "training pretrain", 0, print):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path, root: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lease until its standard input is closed."""
    words = [sys.executable, "-c", HOLD, str(tmp_path / "lease.json")]
    with subprocess.Popen(words, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_free_lease_is_taken_without_a_word(tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        with lease(tmp_path / "new" / "lease.json", "work", 0, said.append):
            pass
    assert said == []


def test_who_holds_it_is_named_and_waited_for(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    said: list[str] = []

    def end_it(line: str) -> None:
        said.append(line)
        assert holder.stdin is not None
        holder.stdin.close()

    with lease(tmp_path / "lease.json", "more", 60, end_it):
        assert holder.wait(10) == 0
    (line,) = said
    assert line.startswith(f"another process (training pretrain, pid {holder.pid}, since ")
    assert line.endswith("waiting for it")


def test_a_lease_of_a_killed_process_is_free(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    said: list[str] = []
    with lease(tmp_path / "lease.json", "more", 0, said.append):
        assert said == []


def test_a_lease_held_for_too_long_is_refused_in_two_lines(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with (
        pytest.raises(ServiceError, match=rf"pid {holder.pid}, since .* is at work here\nwait for it to end"),
        lease(tmp_path / "lease.json", "more", 0.1, print),
    ):
        pass
    assert holder.poll() is None


def test_a_lease_whose_folder_was_cleared_is_free_again(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    """A finished training clears its store, with the lease in it, before it lets go of it."""
    (tmp_path / "lease.json").unlink()
    began = time.monotonic()
    with lease(tmp_path / "lease.json", "more", 60, print):
        assert time.monotonic() - began < 30


OTHER = """
import sys
from pathlib import Path
from components.lease import turn
with turn(Path(sys.argv[1]), "lianzi run"):
    print("mine", flush=True)
"""


def other(root: Path, project: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", OTHER, str(project)], cwd=root, stdout=subprocess.PIPE, text=True)


def test_a_second_run_waits_and_says_for_whom_in_one_line(tmp_path: Path, root: Path) -> None:
    with turn(tmp_path, "a scheduled run"):
        second = other(root, tmp_path)
        assert second.stdout is not None
        line = second.stdout.readline()
        assert line.startswith("another process (a scheduled run, pid ")
        assert line.endswith("is at work here; waiting for it (Ctrl-C: do not wait)\n")
    told, _ = second.communicate(timeout=60)
    assert told == "mine\n"
    assert second.returncode == 0


def test_who_has_the_turn_keeps_it_in_the_flow_it_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with turn(tmp_path, "lianzi run"), turn(tmp_path / ".", "a scheduled run"):
        pass
    with turn(tmp_path, "lianzi run"):
        pass
    assert capsys.readouterr().out == ""


def test_another_project_has_a_turn_of_its_own(tmp_path: Path, root: Path) -> None:
    with turn(tmp_path / "one", "lianzi run"):
        told, _ = other(root, tmp_path / "two").communicate(timeout=60)
    assert told == "mine\n"


def test_whoever_has_the_turn_is_named_and_nobody_is_kept_waiting(tmp_path: Path, root: Path) -> None:
    assert at_work(tmp_path) == ""
    words = [sys.executable, "-c", HOLD, str(tmp_path / TURN)]
    with subprocess.Popen(words, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert at_work(tmp_path) == "training pretrain"
        process.kill()
    assert at_work(tmp_path) == ""


def test_a_lock_that_still_names_a_dead_process_is_nobodys_yet(tmp_path: Path, root: Path) -> None:
    """Between taking the lock and signing it, its holder stands there under the name of the one before."""
    words = [sys.executable, "-c", HOLD, str(tmp_path / TURN)]
    with subprocess.Popen(words, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        (tmp_path / TURN).write_text(json.dumps({"pid": dead.pid, "since": 0, "what": "a scheduled run"}))
        assert at_work(tmp_path) == ""
        process.kill()


def test_a_look_at_a_lock_that_nobody_alive_signed_does_not_take_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.lease.FileLock", lambda path: pytest.fail("the lock was tried"))
    assert at_work(tmp_path) == ""
