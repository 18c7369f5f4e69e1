"""`lianzi ui`: both servers for real."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from components.errors import ServiceError
from flows.ui import require_free


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_port_in_use_is_told_with_the_option_that_moves_it() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(ServiceError, match=f"port {port} is in use\n.*--mlflow-port"):
            require_free(port, "--mlflow-port")


@pytest.mark.slow
def test_both_pages_answer_on_localhost_and_stop_on_ctrl_c(project: Path, tmp_path: Path) -> None:
    prefect, mlflow = free_port(), free_port()
    words = [sys.executable, "-m", "flows.cli", "ui", "--prefect-port", str(prefect), "--mlflow-port", str(mlflow)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "PREFECT_HOME": str(tmp_path / "prefect")}
    pages = subprocess.Popen(words, cwd=project, env=environment, stdout=subprocess.PIPE, text=True)
    assert pages.stdout is not None
    told = ""
    while "Ctrl-C stops both" not in told:
        line = pages.stdout.readline()
        assert line, told
        told += line
    for port in (prefect, mlflow):
        assert f"http://127.0.0.1:{port}" in told
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as page:
            assert b"<html" in page.read().lower()
    pages.send_signal(signal.SIGINT)
    assert pages.wait(30) == 130
    time.sleep(0.5)
    require_free(prefect, "")
    require_free(mlflow, "")
