"""The server: `python -m components.forkserver.server SOCKET PID` forks stages while the process PID lives.

It listens on SOCKET once it has the libraries, prints `ready`, and removes the socket's folder at its end.
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
import sys
import threading
import traceback
from contextlib import suppress
from importlib import import_module, invalidate_caches
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from components.forkserver.client import by_short_path
from components.orphans import DRIVER_VARIABLE

OWN = ("benchmarks", "cli", "components", "flows", "lianzi", "tests")
"""Packages that a fork imports from its own folder."""
LIBRARIES = ("mlflow.store.tracking.sqlalchemy_store", "sklearn.metrics", "torch._dynamo", "torch.onnx")
"""What stages import while they work."""


def serve(address: Path, driver: int) -> None:
    """Fork a process for each request, as long as the process `driver` lives."""
    ended = os.pidfd_open(driver)
    load()
    here = os.path.realpath(os.curdir)
    sys.path[:] = [entry for entry in sys.path if entry and os.path.realpath(entry) != here]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that look after a request
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's
    with socket.socket(socket.AF_UNIX) as listener:
        by_short_path(listener.bind, str(address))
        listener.listen()
        print("ready", flush=True)
        waited_for: list[int] = [listener.fileno(), ended]
        while ended not in select.select(waited_for, [], [])[0]:
            request, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                look_after(request)
            request.close()
    shutil.rmtree(address.parent, ignore_errors=True)


def import_stages() -> None:
    """Import what stages do: nothing of it starts a thread."""
    from components.stages import STAGES

    for name in ("components.stage_process", *STAGES.values(), *LIBRARIES):
        import_module(name.partition(":")[0])


def load() -> None:
    """Import what stages do, and forget the project's own modules."""
    gc.disable()  # while modules are made nothing is garbage: collections would be a fifth of the time
    import_stages()
    project = str(Path.cwd())
    for name in [name for name, module in sys.modules.items() if _is_own(name, module, project)]:
        del sys.modules[name]
    gc.collect()
    gc.freeze()  # so that collections in a fork do not copy its pages
    gc.enable()
    # Locks that another thread holds stay locked in a fork, and CUDA works in none once it has begun.
    assert threading.active_count() == 1, "an import started a thread"
    assert not sys.modules["torch"].cuda.is_initialized(), "an import started CUDA"


def _is_own(name: str, module: object, project: str) -> bool:
    """Whether a module is of the project: of a package of OWN, or another in its folder that is not installed there."""
    spec = vars(module).get("__spec__") if isinstance(module, ModuleType) else None
    places = [spec.origin, *(spec.submodule_search_locations or ())] if isinstance(spec, ModuleSpec) else []
    inside = [place for place in map(str, places) if place.startswith(f"{project}{os.sep}")]
    return name.partition(".")[0] in OWN or any(not place.startswith(f"{sys.prefix}{os.sep}") for place in inside)


def look_after(request: socket.socket) -> NoReturn:
    """Fork the worker of a request, tell its end, and end it where nobody waits for it any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    size, streams, _, _ = socket.recv_fds(request, 4, 3)
    wanted = json.loads(request.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL))
    if wanted["prefix"] != sys.prefix:
        os._exit(0)  # its libraries are others: it does the work itself
    worker = os.fork()
    if worker == 0:
        request.close()
        work(wanted["words"], Path(wanted["folder"]), wanted["environment"], streams)
    with suppress(OSError):  # here too, so that it has its group when it is to be killed at once
        os.setpgid(worker, worker)
    for stream in streams:
        os.close(stream)
    with suppress(BrokenPipeError):
        request.sendall(f"{worker}\n".encode())
    ended = os.pidfd_open(worker)
    ready, _, _ = select.select([request.fileno(), ended], [], [])
    if ended not in ready:
        with suppress(ProcessLookupError):
            os.killpg(worker, signal.SIGKILL)
    _, status = os.waitpid(worker, 0)
    with suppress(BrokenPipeError):
        request.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def work(words: list[str], folder: Path, environment: dict[str, str], streams: list[int]) -> NoReturn:
    """Be `python -m WORDS` in a folder, in a process group of its own."""
    os.setpgid(0, 0)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # Whose work it is asks the fork to stop when its drivers are gone; asked twice, a training would not save itself.
    os.environ.pop(DRIVER_VARIABLE, None)
    sys.path[:0] = [str(folder), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = ["-m", *words[1:]]
    invalidate_caches()
    code = 0
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = _exit_code(end)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _exit_code(end: SystemExit) -> int:
    """What Python makes of it: whatever is no number is printed."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    print(end.code, file=sys.stderr)
    return 1


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
    os._exit(0)  # libraries take a second to wind down
