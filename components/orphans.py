"""Processes that end when the one they work for is gone, even if it was killed with SIGKILL and told nobody."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing import connection, parent_process
from pathlib import Path
from select import select

DRIVER_VARIABLE = "LIANZI_DRIVER"
"""Environment variable with which a flow tells its stages the number of its process."""
LOOK_SECONDS = 1.0


def leave_with_starter() -> None:
    """For a worker of multiprocessing: leave at once when the process that started it is gone."""
    starter = parent_process()
    if starter is not None:
        threading.Thread(target=_leave_after, args=(starter.sentinel,), daemon=True).start()


def stop_with_drivers() -> None:
    """For a stage: as if asked by SIGTERM when the DVC that runs it, or the flow that runs DVC, is gone.

    Who has been asked already is not asked again: a second request would end a training before it has saved itself.
    Only from the main thread.
    """
    drivers = list(_drivers())
    if drivers:
        heard, told = os.pipe()
        os.set_blocking(told, False)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        threading.Thread(target=_stop_after, args=(drivers, heard), daemon=True).start()


def _leave_after(sentinel: int) -> None:
    # Ready when the starter's end of a pipe is closed, as the system does for it; no other process has that end.
    connection.wait([sentinel])
    os._exit(1)


def _stop_after(drivers: list[_Driver], heard: int) -> None:
    while all(driver.alive() for driver in drivers):
        # The numbers of signals that this process has got.
        if select([heard], [], [], LOOK_SECONDS)[0] and {*os.read(heard, 64)} & {signal.SIGINT, signal.SIGTERM}:
            return
    os.kill(os.getpid(), signal.SIGTERM)


class _Driver:
    """A process, known by when it began too: numbers are given anew."""

    def __init__(self, pid: int) -> None:
        import psutil

        try:
            self._process: psutil.Process | None = psutil.Process(pid)
        except psutil.NoSuchProcess:
            self._process = None

    def alive(self) -> bool:
        import psutil

        try:
            # Killed and not yet fetched by its own parent, it works no more.
            found = self._process
            return found is not None and found.is_running() and found.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def _drivers() -> Iterator[_Driver]:
    """The flow that started this stage, and the DVC among the ancestors: between them may stand a shell."""
    if number := os.environ.get(DRIVER_VARIABLE):
        yield _Driver(int(number))
    if "DVC_STAGE" in os.environ and (pid := dvc_pid()) is not None:
        yield _Driver(pid)


def dvc_pid() -> int | None:
    """The `dvc` process among this one's ancestors."""
    import psutil

    for ancestor in psutil.Process().parents():
        try:
            if any(Path(word).name == "dvc" for word in ancestor.cmdline()[:3]):
                return int(ancestor.pid)
        except psutil.Error:
            continue
    return None
