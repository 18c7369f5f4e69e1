"""flows.temporary_server: whose end is awaited."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.processes import end, left_after

PROGRAM = """
import subprocess, sys, types
from flows.temporary_server import end_with_this_process
server = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "prefect"])
module = types.ModuleType("prefect.server.api.server")
module.SubprocessASGIServer = lambda: types.SimpleNamespace(server_process=server)
sys.modules["prefect.server.api.server"] = module
end_with_this_process()
print(server.pid, flush=True)
sys.stdin.read()
"""
STARTED_APART = """
import signal, subprocess, sys, types
signal.signal(signal.SIGINT, lambda *_: None)
class Server:
    def start(self):
        Server.server_process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
module = types.ModuleType("prefect.server.api.server")
module.SubprocessASGIServer = Server
sys.modules["prefect.server.api.server"] = module
from flows.temporary_server import start_apart
start_apart()
print(Server.server_process.pid, flush=True)
sys.stdin.read()
"""


def test_a_server_ends_with_the_process_that_started_it_and_was_killed() -> None:
    starter = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert starter.stdout is not None
    server = psutil.Process(int(starter.stdout.readline()))
    try:
        assert server.is_running()
        starter.kill()
        starter.wait()
        assert left_after([server], 30) == []
    finally:
        end([server])


def test_ctrl_c_in_a_terminal_does_not_end_the_server_before_the_run(tmp_path: Path) -> None:
    settings = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    settings |= {"PREFECT_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    words = [sys.executable, "-c", STARTED_APART]
    starter = subprocess.Popen(
        words, env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert starter.stdout is not None
    server = psutil.Process(int(starter.stdout.readline()))
    try:
        time.sleep(1)  # until it is a Python that would hear it
        os.killpg(starter.pid, signal.SIGINT)
        assert left_after([server], 3) == [server]
        server.terminate()
        assert left_after([server], 30) == []
    finally:
        end([server])
        starter.kill()
        starter.wait()
