from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from components.evaluation.sandbox import Limits, reason_to_fail

LIMITS = Limits(seconds=5, megabytes=256)


def test_a_program_that_comes_to_its_end_has_not_failed() -> None:
    assert reason_to_fail("print('anything')\nassert 1 + 1 == 2", LIMITS) == ""


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("assert 1 + 1 == 3", "AssertionError"),
        ("this is no Python", "SyntaxError"),
        ("import sys; sys.exit(0)", "exit code 0"),
        ("import os; os._exit(0)", "exit code 0"),
        ("x = bytearray(1 << 30)", "MemoryError"),
        ("x = '\ud800'", "SyntaxError"),
        ("import os\nfor one in os.listdir(): os.remove(one)\nassert 1 + 1 == 3", "AssertionError"),
        ("open('large', 'wb').write(bytes(1 << 22))", "File too large"),
    ],
)
def test_one_that_does_not_is_told_why(program: str, told: str) -> None:
    assert told in reason_to_fail(program, LIMITS)


def test_one_that_never_ends_is_ended() -> None:
    assert reason_to_fail("while True: pass", Limits(seconds=1, megabytes=256)) == "took longer than 1 s"


@pytest.fixture(scope="module")
def namespaces() -> None:
    if reason_to_fail("import os; assert os.getpid() == 1", LIMITS):
        pytest.skip("this system gives no namespaces")


@pytest.mark.usefixtures("namespaces")
def test_no_process_outlives_its_program() -> None:
    """RLIMIT_NPROC does not hold for root, and a session of its own is no longer in the group that is killed."""
    mark = f"3{secrets.randbelow(10**9)}"
    program = f"import os\nif not os.fork():\n    os.setsid()\n    os.execv('/bin/sleep', ['sleep', '{mark}'])"
    reason_to_fail(program, LIMITS)  # a user who is not root may not fork at all
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(mark.encode() in line.split(b"\0") for line in running)


@pytest.mark.usefixtures("namespaces")
def test_a_program_writes_to_its_own_folder_alone(tmp_path: Path) -> None:
    assert reason_to_fail("open('here', 'w').write('kept')", LIMITS) == ""
    assert "Read-only" in reason_to_fail(f"open({str(tmp_path / 'there')!r}, 'w')", LIMITS)
    assert not (tmp_path / "there").exists()
