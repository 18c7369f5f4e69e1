"""The process that DVC starts for a stage: it has the work done by a fork of the server, where one waits."""

from __future__ import annotations

import os
import sys

ADDRESS = "LIANZI_FORK_SERVER"
"""Environment variable: the path of the server's socket."""


def hand_over(*modules: str) -> None:
    """Never returns where a server does the work of `python -m MODULE …`: this process ends as the fork does.

    Returns where there is no server, or one of another Python environment, where a standard stream is closed, and
    where this process is itself such a fork.
    """
    address = os.environ.get(ADDRESS)
    if not address or sys.orig_argv[1:2] != ["-m"] or sys.orig_argv[2] not in modules:
        return
    if None in (sys.stdin, sys.stdout, sys.stderr):
        return  # one is closed: its number would be that of the socket, and the fork would have that for its stream
    import socket

    with socket.socket(socket.AF_UNIX) as server, server.makefile() as answers:
        try:
            by_short_path(server.connect, address)
            _ask(server, sys.orig_argv[2:])
            worker = int(answers.readline() or 0)
        except OSError:
            return  # it does not listen yet, or no more
        if worker:
            _pass_on_signals(worker)
            _end_as(int(answers.readline() or _lost(worker)))


def by_short_path(attach, address: str) -> None:  # type: ignore[no-untyped-def]  # typing would be imported
    """Bind or connect a socket by another path: Linux takes 107 bytes, and folders of temporary files may have more."""
    folder, _, name = address.rpartition("/")
    opened = os.open(folder or ".", os.O_RDONLY)
    try:
        attach(f"/proc/self/fd/{opened}/{name}")
    finally:
        os.close(opened)


def _ask(server, words: list[str]) -> None:  # type: ignore[no-untyped-def]  # socket is imported late
    """Send the request: its length, with the standard streams, and its content."""
    import json
    import socket

    content = {"words": words, "prefix": sys.prefix, "folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109
    request = json.dumps(content).encode()
    socket.send_fds(server, [len(request).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(request)


def _pass_on_signals(worker: int) -> None:
    """SIGINT and SIGTERM go to the fork; SIGTERM too when the DVC or the flow that wants the stage is gone."""
    import signal
    from contextlib import suppress

    from components import orphans

    def pass_on(number: int, _frame: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(worker, number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    orphans.stop_with_drivers()


def _lost(worker: int) -> int:
    """The exit code of a fork that nobody looks after any more: it is not to go on when its stage has ended."""
    import signal
    from contextlib import suppress

    with suppress(ProcessLookupError):
        os.killpg(worker, signal.SIGKILL)
    return -signal.SIGKILL


def _end_as(code: int) -> None:
    """End with an exit code, or by the signal that a negative one names."""
    import signal
    from contextlib import suppress

    if code < 0:
        with suppress(OSError):  # of SIGKILL nothing can be changed
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)
