"""Prefect's temporary server ends with the run that started it, also where SIGKILL ended the run."""

from __future__ import annotations

import subprocess
import sys

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
