"""A small project of shell stages: real DVC, real Prefect, real MLflow, no training."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import env_defaults
from tests.service_logs import assert_healthy
from tests.small_store import copy_project, copy_store

DVC_YAML = """
stages:
  first:
    cmd: cat source.txt > first.txt
    deps: [source.txt]
    outs: [first.txt]
  fragile:
    cmd: >-
      cat first.txt > fragile.txt; test ! -e break || { echo "error: fragile: source.txt:1 is cracked"; exit 1; }
    deps: [first.txt]
    outs: [fragile.txt]
  dependant:
    cmd: cat fragile.txt > dependant.txt
    deps: [fragile.txt]
    outs: [dependant.txt]
  bystander:
    cmd: cat first.txt > bystander.txt
    deps: [first.txt]
    outs: [bystander.txt]
"""


@pytest.fixture
def project(tmp_path: Path, shell_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git and DVC project in a folder of its own, and the working directory moved there."""
    copy_project(shell_project, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def shell_project(tmp_path_factory: pytest.TempPathFactory, root: Path, mlflow_store: Path) -> Path:
    """A git and DVC project of the shell stages, made once to be copied: the commands that make one take seconds."""
    folder = tmp_path_factory.mktemp("shell_project")
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "source.txt").write_text("words\n")
    copy_store(mlflow_store, folder)
    shutil.copy(root / "params.yaml", folder)
    for words in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "config", "core.analytics", "false"]):
        subprocess.run(words, cwd=folder, check=True)
    return folder


@pytest.fixture(scope="session")
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory, free_port: int) -> Iterator[dict[str, str]]:
    """A real Prefect server with a database of its own; yields the environment that points at it.

    A test fails where it logged an error.
    """
    env_defaults.prepare()
    address = f"http://127.0.0.1:{free_port}/api"
    home = tmp_path_factory.mktemp("prefect")
    settings = {"PREFECT_API_URL": address, "PREFECT_HOME": str(home)}
    words = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(free_port)]
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(words, env=os.environ | settings | env_defaults.OF_A_SERVER, stdout=log, stderr=log)
    try:
        _await(f"{address}/health")
        yield settings
        assert_healthy(home / "server.log")
    finally:
        server.terminate()
        server.wait(60)


def _await(address: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


@pytest.fixture
def long_stage(project: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A `dvc repro` whose stage runs until a file `end` is there."""
    text = (project / "dvc.yaml").read_text()
    slow = "touch begun; while test ! -e end; do sleep 0.1; done; cat source.txt > first.txt"
    (project / "dvc.yaml").write_text(text.replace("cat source.txt > first.txt", slow))
    process = subprocess.Popen(["dvc", "repro", "first"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (project / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    yield process
    (project / "end").touch()
    process.wait(60)
