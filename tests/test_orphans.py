"""components.orphans: who is left when someone is killed with SIGKILL."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from components.orphans import DRIVER_VARIABLE, LOOK_SECONDS

WORKERS = """
import time
from pathlib import Path
from components.engine import LocalEngine

def work(number):
    Path(f"worker-{number}").touch()
    time.sleep(600)

if __name__ == "__main__":
    list(LocalEngine(2).map(work, range(2)))
"""
STAGE = """
import os, signal, sys, time
from pathlib import Path
from components import orphans

def leave(*_):
    Path("left").touch()
    sys.exit(130)

signal.signal(signal.SIGTERM, leave)
orphans.stop_with_drivers()
Path("begun").write_text(str(os.getpid()))
time.sleep(600)
"""


def awaited(condition: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


@pytest.fixture
def folder(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.delenv(DRIVER_VARIABLE, raising=False)
    (tmp_path / "workers.py").write_text(WORKERS)
    (tmp_path / "stage.py").write_text(STAGE)
    return tmp_path


def test_workers_end_with_the_process_that_was_killed_over_them(folder: Path) -> None:
    parent = subprocess.Popen([sys.executable, "workers.py"])
    assert awaited(lambda: len(list(folder.glob("worker-*"))) == 2)
    workers = psutil.Process(parent.pid).children(recursive=True)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive


def test_a_stage_stops_when_its_dvc_was_killed(folder: Path) -> None:
    (folder / "dvc.yaml").write_text(f"stages:\n  s:\n    cmd: {sys.executable} stage.py; echo ended\n")
    subprocess.run(["dvc", "init", "-q", "--no-scm"], check=True)
    driver = subprocess.Popen(["dvc", "repro", "-q"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert awaited(lambda: (folder / "begun").exists() and bool((folder / "begun").read_text()))
    stage = psutil.Process(int((folder / "begun").read_text()))
    driver.kill()
    # Not fetched by its parent yet, which is this process: a zombie works no more.
    psutil.wait_procs([stage], timeout=30)
    assert not stage.is_running()
    assert (folder / "left").exists()
    driver.wait()


def test_a_stage_stops_when_the_flow_that_started_its_dvc_was_killed(folder: Path) -> None:
    flow = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    stage = subprocess.Popen([sys.executable, "stage.py"], env=os.environ | {DRIVER_VARIABLE: str(flow.pid)})
    assert awaited((folder / "begun").exists)
    flow.kill()
    flow.wait()
    assert stage.wait(30) == 130
    late = subprocess.Popen([sys.executable, "stage.py"], env=os.environ | {DRIVER_VARIABLE: str(flow.pid)})
    assert late.wait(30) == 130


def test_a_stage_that_was_asked_to_stop_is_not_asked_again_when_its_flow_is_gone(folder: Path) -> None:
    """A training ends at once, without a checkpoint, when it is asked twice."""
    text = (folder / "stage.py").read_text()
    saving = 'def leave(*_):\n    with open("asked", "a") as asked:\n        asked.write("x")\n\n'
    (folder / "stage.py").write_text(text.replace("def leave", f"{saving}def never"))
    flow = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    stage = subprocess.Popen([sys.executable, "stage.py"], env=os.environ | {DRIVER_VARIABLE: str(flow.pid)})
    assert awaited((folder / "begun").exists)
    stage.terminate()
    assert awaited((folder / "asked").exists)
    flow.kill()
    flow.wait()
    time.sleep(3 * LOOK_SECONDS)
    stage.kill()
    stage.wait()
    assert (folder / "asked").read_text() == "x"


def test_a_stage_that_nothing_drives_goes_on(folder: Path) -> None:
    stage = subprocess.Popen([sys.executable, "stage.py"])
    assert awaited((folder / "begun").exists)
    with pytest.raises(subprocess.TimeoutExpired):
        stage.wait(3)
    stage.kill()
    stage.wait()
