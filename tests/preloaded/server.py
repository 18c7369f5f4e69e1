"""Stages' processes, forked from one that has the libraries loaded: one starts in 0.3 s instead of five to eight.

The process that a test, DVC or Lightning starts is a real one; it hands its command, folder, environment and streams to
the server (see sitecustomize.py), ends as the fork does, passes on what it is asked, and when it is killed, so is the
fork. A fork has the libraries of the server, but none of the project's modules: it imports those of its own folder.

All forks of a server have the same order of Python's sets. A test that repeats stages to compare bytes asks for those
of another server, which has another order.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from contextlib import suppress
from functools import cache
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

from filelock import FileLock

ROOT = Path(__file__).parents[2]
OWN = ("benchmarks", "cli", "components", "flows", "lianzi", "tests")
LIBRARIES = ("mlflow.store.tracking.sqlalchemy_store", "sklearn.metrics", "torch._dynamo", "torch.onnx")
"""What stages import while they work."""


@cache
def preloaded(name: str = "first") -> dict[str, str]:
    """Environment variables with which `python -m components` is forked from the server of that name. PYTHONPATH is
    that of a project in the repository. The first call of a test run starts the server, which ends with the run; its
    workers share it."""
    worker = "PYTEST_XDIST_WORKER" in os.environ
    run = os.environ["PYTEST_XDIST_TESTRUNUID"] if worker else uuid4().hex
    folder = Path(tempfile.gettempdir(), f"preloaded-{name}-{run[:16]}")
    folder.mkdir(exist_ok=True)
    address = folder / "socket"
    with FileLock(folder / "lock"):
        if not address.exists():
            command = [sys.executable, "-m", "tests.preloaded.server", str(address)]
            command.append(str(os.getppid() if worker else os.getpid()))
            server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
    return {"PYTHONPATH": python_path(ROOT), "LIANZI_TESTS_PRELOADED": str(address)}


def python_path(project: Path) -> str:
    """PYTHONPATH for the code of a project and for sitecustomize.py."""
    return os.pathsep.join([str(project), str(Path(__file__).parent)])


def serve(address: Path, driver: int) -> None:
    """Fork a process for each request, as long as the process `driver` lives."""
    load()
    sys.path[:] = [entry for entry in sys.path if entry not in ("", str(ROOT))]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that look after a request
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's
    ended = os.pidfd_open(driver)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        print("ready", flush=True)
        while ended not in select.select([listener, ended], [], [])[0]:
            request, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                look_after(request)
            request.close()
    shutil.rmtree(address.parent)


def load() -> None:
    """Import what stages do, and forget the project's own modules."""
    from components.stages import STAGES

    for name in ("components.__main__", *STAGES.values(), *LIBRARIES):
        import_module(name.partition(":")[0])
    for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
        del sys.modules[name]
    gc.collect()
    gc.freeze()  # so that collections in a fork do not copy its pages
    assert threading.active_count() == 1, "a process whose threads hold locks must not be forked"


def look_after(request: socket.socket) -> NoReturn:
    """Fork the worker of a request, tell its end, and end it where nobody waits for it any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    size, streams, _, _ = socket.recv_fds(request, 4, 3)
    wanted = json.loads(request.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL))
    worker = os.fork()
    if worker == 0:
        request.close()
        work(wanted["words"], Path(wanted["folder"]), wanted["environment"], streams)
    for stream in streams:
        os.close(stream)
    request.sendall(f"{worker}\n".encode())
    ended = os.pidfd_open(worker)
    ready, _, _ = select.select([request, ended], [], [])
    if ended not in ready:
        os.kill(worker, signal.SIGKILL)
    _, status = os.waitpid(worker, 0)
    with suppress(BrokenPipeError):
        request.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def work(words: list[str], folder: Path, environment: dict[str, str], streams: list[int]) -> NoReturn:
    """Be `python -m WORDS` in a folder."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = [str(folder), *environment.get("PYTHONPATH", "").split(os.pathsep)]
    sys.argv = ["-m", *words[1:]]
    invalidate_caches()
    code: object = 0
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
    os._exit(0)  # libraries take a second to wind down
