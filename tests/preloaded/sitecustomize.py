"""Python imports this first where it finds it on PYTHONPATH. A stage's process hands its work to one that has the
libraries loaded (see server.py), and is there itself only to be waited for, signalled and killed."""

from __future__ import annotations

import os
import sys

SOCKET = "LIANZI_TESTS_PRELOADED"
"""Environment variable: the path of the server's socket."""
MODULES = ("components", "components.__main__", "tests.stopping")


def hand_over(address: str, words: list[str]) -> None:
    """Never returns: this process ends as the one that does its work."""
    import json
    import signal
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        request = json.dumps({"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}).encode()  # noqa: PTH109
        socket.send_fds(server, [len(request).to_bytes(4, "big")], [0, 1, 2])
        server.sendall(request)
        with server.makefile() as answers:
            worker = int(answers.readline())
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda number, _frame: os.kill(worker, number))
            code = int(answers.readline() or 1)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if SOCKET in os.environ and sys.orig_argv[1:2] == ["-m"] and sys.orig_argv[2] in MODULES:
    hand_over(os.environ[SOCKET], sys.orig_argv[2:])
