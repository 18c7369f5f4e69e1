from __future__ import annotations

import platform
import socket

from components.machine import INSTRUCTIONS, cpu_flags, machine, processor, versions


def test_a_machine_is_described_and_not_named() -> None:
    found = machine()
    assert found["processor"] == processor() != ""
    assert found["python"] == platform.python_version()
    assert versions(["numpy"]) == {"numpy": __import__("numpy").__version__}
    assert socket.gethostname() not in str(found)


def test_instructions_are_those_the_processor_has() -> None:
    flags = cpu_flags()
    assert set(machine()["instructions"]) == flags & set(INSTRUCTIONS)  # type: ignore[call-overload]
