"""Prefect's temporary server ends with the run that started it, also where SIGKILL ended the run, and not before."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from contextlib import suppress

_WATCHER = """
import os, signal, subprocess, sys
sys.stdin.read()  # to the end: the system closes the other side when the run's process is gone
if os.path.isdir("/proc/self"):  # a slim image has no `ps`
    try:
        told = open(f"/proc/{sys.argv[1]}/cmdline", "rb").read()
    except OSError:
        told = b""
else:
    told = subprocess.run(["ps", "-o", "command=", "-p", sys.argv[1]], capture_output=True).stdout
if b"prefect" in told:  # the number may have been given anew
    os.kill(int(sys.argv[1]), signal.SIGTERM)
"""


def start_apart() -> None:
    """Start it, where no other is named, so that Ctrl-C in a terminal does not reach it, but the run alone.

    The terminal signals all processes of the run; a run that is interrupted tells the server how its stages ended, and
    waits minutes for one that is gone.
    """
    from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_EPHEMERAL_ENABLED

    if PREFECT_API_URL.value() or not PREFECT_SERVER_EPHEMERAL_ENABLED.value():
        return
    starter = threading.Thread(target=_start_uninterrupted, daemon=True)
    starter.start()
    while starter.is_alive():
        starter.join(1)  # in intervals: an unlimited wait would miss Ctrl-C when another thread gets the signal


def _start_uninterrupted() -> None:
    from prefect.server.api.server import SubprocessASGIServer

    # A process inherits what is blocked in the thread that starts it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    with suppress(Exception):  # the flow tries it again, and tells
        SubprocessASGIServer().start()


def end_with_this_process() -> None:
    """Let a process of a few MB wait for the end of this one, to stop the server that it started, if it has."""
    module = sys.modules.get("prefect.server.api.server")  # not imported where the server is another machine's
    server = module.SubprocessASGIServer().server_process if module is not None else None
    if server is not None:
        # Prefect stops its server at exit; a process that is killed has none.
        subprocess.Popen(
            [sys.executable, "-S", "-c", _WATCHER, str(server.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
