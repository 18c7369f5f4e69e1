from __future__ import annotations

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
        ("open('large', 'wb').write(bytes(1 << 22))", "File too large"),
    ],
)
def test_one_that_does_not_is_told_why(program: str, told: str) -> None:
    assert told in reason_to_fail(program, LIMITS)


def test_one_that_never_ends_is_ended() -> None:
    assert reason_to_fail("while True: pass", Limits(seconds=1, megabytes=256)) == "took longer than 1 s"
