"""Programs that nobody has read, each run in a process of its own with limits: of time, memory, files and network.

A guard against accidents, not against attackers: who runs programs of an adversary needs a machine for it.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

OUTPUT_BYTES = 1 << 20
"""Of any file that a program writes, what it prints among them."""
_LAUNCHER = """
import ctypes, os, resource, runpy, sys
path, *numbers, token = sys.argv[1:]
seconds, megabytes, largest = map(int, numbers)
del sys.argv[1:]
# A network and users of its own, where the system lets one have them.
if sys.platform == "linux":
    ctypes.CDLL(None).unshare(0x10000000 | 0x40000000)
for limit, value in (
    ("RLIMIT_CPU", seconds), ("RLIMIT_AS", megabytes << 20), ("RLIMIT_FSIZE", largest), ("RLIMIT_CORE", 0),
    ("RLIMIT_NPROC", 0),
):
    resource.setrlimit(getattr(resource, limit), (value, value))
sys.stdout = open(os.devnull, "w")
runpy.run_path(path, run_name="__main__")
os.write(1, token.encode())
"""


@dataclass(frozen=True)
class Limits:
    """Of one program: seconds of a clock, and megabytes of address space (Python itself takes about 50)."""

    seconds: int
    megabytes: int


def reason_to_fail(program: str, limits: Limits) -> str:
    """Why a Python program did not come to its end, in a few words; nothing where it did.

    Its last line has to be reached: one that leaves before, with whatever exit code, has failed.
    """
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "program.py").write_text(program, encoding="utf-8")
        numbers = (str(number) for number in (limits.seconds + 1, limits.megabytes, OUTPUT_BYTES))
        command = [sys.executable, "-I", "-c", _LAUNCHER, "program.py", *numbers, token]
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            process = subprocess.Popen(
                command, cwd=folder, env={}, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
            try:
                process.wait(limits.seconds)
            except subprocess.TimeoutExpired:
                return f"took longer than {limits.seconds} s"
            finally:
                _end(process)
        if (folder / "out").read_bytes().endswith(token.encode()):
            return ""
        said = (folder / "err").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return said[-1][:200] if said else f"left with exit code {process.returncode}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left, children too."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
