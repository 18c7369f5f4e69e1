"""Stages of a run are forks of one process that has the libraries, while the run lasts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.forkserver.client import ADDRESS


@contextmanager
def forked_stages(project: Path, needed: bool = True, at_once: bool = True) -> Iterator[None]:
    """Start the server in a project's folder; what begins before it has its libraries begins without it, and unless the
    block begins `at_once`, nothing does.

    It ends with the block, and with this process. Only Linux tells a process of another's end as it needs; elsewhere,
    where a server serves already, and where no stage is to run (not `needed`), nothing is started.
    """
    if not needed or not hasattr(os, "pidfd_open") or ADDRESS in os.environ:
        yield
        return
    folder = Path(tempfile.mkdtemp(prefix="lianzi-"))  # of this user alone: a socket takes orders
    address = folder / "socket"
    words = [sys.executable, "-m", "components.forkserver.server", str(address), str(os.getpid())]
    server = subprocess.Popen(
        words,
        cwd=project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # what does not load there does not load in a stage either, which tells of it
        start_new_session=True,
    )
    os.environ[ADDRESS] = str(address)
    try:
        while not (at_once or address.exists() or server.poll() is not None):
            time.sleep(0.05)
        yield
    finally:
        del os.environ[ADDRESS]
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
