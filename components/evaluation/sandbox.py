"""Programs that nobody has read, each run in a process of its own with limits: of time, memory, files and network.

Where Linux has namespaces for it, a program writes to its own folder alone and leaves no process behind. What its user
may read, it may read. A guard against accidents, not against attackers: who runs programs of an adversary needs a
machine for it.
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
from typing import IO

OUTPUT_BYTES = 1 << 20
"""Of any file that a program writes, what it prints among them."""
_LAUNCHER = """
import ctypes, os, resource, runpy, struct, sys
path, *numbers, token = sys.argv[1:]
seconds, megabytes, largest = map(int, numbers)
del sys.argv[1:]
libc = ctypes.CDLL(None)
# Users, network, mounts and processes of its own, where the system lets one have them.
if sys.platform == "linux" and libc.unshare(0x10000000 | 0x40000000 | 0x00020000 | 0x20000000) == 0:
    def mount_setattr(place, *change):
        libc.syscall(442, -100, place, 0x8000, struct.pack("4Q", *change), ctypes.c_size_t(32))
    here = os.getcwd().encode()
    libc.mount(b"none", b"/", None, 0x40000 | 0x4000, None)
    libc.mount(here, here, None, 0x1000, None)
    mount_setattr(b"/", 1, 0, 0, 0)
    mount_setattr(here, 0, 1, 0, 0)
    os.chdir(here)
    if child := os.fork():
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os._exit(code if code >= 0 else 128 - code)
    # The first process of its namespace: whatever it has begun ends with it, and it with the one that waits for it.
    libc.prctl(1, 9)
for limit, value in (
    ("RLIMIT_CPU", seconds), ("RLIMIT_AS", megabytes << 20), ("RLIMIT_FSIZE", largest), ("RLIMIT_CORE", 0),
    ("RLIMIT_NPROC", 0),
):
    resource.setrlimit(getattr(resource, limit), (value, value))
sys.stdout = open(os.devnull, "w")
runpy.run_path(path, run_name="__main__")
os.write(1, token.encode())
"""
"""Of Linux: unshare(NEWUSER | NEWNET | NEWNS | NEWPID), mounts made private and read-only but for the folder of the
program, prctl(PDEATHSIG, SIGKILL). Each is done as far as the system allows it."""


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
    # What it prints has no name: a program may remove all that stands beside it.
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        # A lone surrogate, which JSON can hold, is for Python to refuse.
        (Path(folder) / "program.py").write_text(program, encoding="utf-8", errors="surrogatepass")
        numbers = (str(number) for number in (limits.seconds + 1, limits.megabytes, OUTPUT_BYTES))
        command = [sys.executable, "-I", "-c", _LAUNCHER, "program.py", *numbers, token]
        process = subprocess.Popen(
            command, cwd=folder, env={}, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
        try:
            process.wait(limits.seconds)
        except subprocess.TimeoutExpired:
            return f"took longer than {limits.seconds} s"
        finally:
            _end(process)
        if _read(out).endswith(token.encode()):
            return ""
        said = _read(err).decode("utf-8", "replace").strip().splitlines()
    return said[-1][:200] if said else f"left with exit code {process.returncode}"


def _read(stream: IO[bytes]) -> bytes:
    stream.seek(0)
    return stream.read()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left, children too."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
