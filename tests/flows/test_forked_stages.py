"""flows.forked_stages: the server of a run lives as long as the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from components.forkserver.client import ADDRESS
from flows.forked_stages import forked_stages

DRIVER = """
import os, sys, time
from pathlib import Path
from components.forkserver.client import ADDRESS
from flows.forked_stages import forked_stages
with forked_stages(Path(sys.argv[1])):
    print(os.environ[ADDRESS], flush=True)
    time.sleep(600)
"""


def await_path(path: Path, there: bool) -> None:
    deadline = time.monotonic() + 120
    while path.exists() != there:
        assert time.monotonic() < deadline, path
        time.sleep(0.1)


@pytest.mark.slow
def test_a_server_forks_stages_and_ends_with_the_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADDRESS, raising=False)
    with forked_stages(root):
        address = Path(os.environ[ADDRESS])
        await_path(address, there=True)
        (server,) = [child for child in psutil.Process().children() if str(address) in child.cmdline()]
        command = [sys.executable, "-m", "components", "nothing"]
        told = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert told.returncode == 1
        assert told.stderr.startswith("error: nothing: no stage 'nothing'")
    assert ADDRESS not in os.environ
    assert not server.is_running()
    assert not address.parent.exists()


@pytest.mark.slow
def test_a_block_that_does_not_begin_at_once_has_a_server_however_long_its_path(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.delenv(ADDRESS, raising=False)
    with forked_stages(root, at_once=False):
        assert Path(os.environ[ADDRESS]).is_socket()


def test_a_server_that_does_not_load_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADDRESS, raising=False)
    (tmp_path / "components").mkdir()
    (tmp_path / "components/__init__.py").write_text("raise ImportError")
    with forked_stages(tmp_path, at_once=False):
        assert not Path(os.environ[ADDRESS]).exists()


@pytest.mark.slow
def test_a_server_ends_with_a_run_that_is_killed(root: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != ADDRESS}
    command = [sys.executable, "-c", DRIVER, str(root)]
    driver = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    address = Path(driver.stdout.readline().strip())
    await_path(address, there=True)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    await_path(address.parent, there=False)
