"""flows.temporary_server: whose end is awaited."""

from __future__ import annotations

import subprocess
import sys

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
