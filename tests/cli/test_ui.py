"""`lianzi ui`: both servers for real."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from cli.ui import keep_small, require_free, runs_page
from components import tracking
from components.errors import ServiceError
from tests.browser import await_text, open_browser
from tests.service_logs import assert_healthy


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


def test_a_servers_log_is_kept_small_while_it_is_written(tmp_path: Path) -> None:
    log = tmp_path / "prefect.log"
    with log.open("ab", buffering=0) as stream:
        for _ in range(9):
            stream.write(b"a line\n" * 10)
            keep_small(log, largest=200)
    assert log.read_bytes() == b""
    assert log.with_name("prefect.log.1").read_bytes() == b"a line\n" * 30


def test_a_log_that_cannot_be_cut_ends_no_server(tmp_path: Path) -> None:
    keep_small(tmp_path / "removed.log")
    log = tmp_path / "prefect.log"
    log.write_text("a line")
    log.with_name("prefect.log.1").mkdir()
    keep_small(log, largest=1)
    assert log.read_text() == "a line"


def test_the_page_of_runs_is_a_view_of_the_experiment_with_columns_and_order(here: Path) -> None:
    client = tracking.connect()
    page = runs_page(client, {"topic": "macro_f1", "form": "pearson"})
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    assert page == (
        f"/#/experiments/{experiment.experiment_id}/runs?workflowType=machine_learning&viewStateShareKey=lianzi"
    )
    view = json.loads(experiment.tags["mlflow.sharedViewState.lianzi"])
    assert view["selectedColumns"][:2] == ["metrics.`topic/shipped/macro_f1`", "metrics.`form/shipped/pearson`"]
    assert (view["orderByKey"], view["orderByAsc"]) == ("attributes.start_time", False)


def look_at_runs(address: str, picture: Path) -> None:
    """A browser sees the runs, newest first, with these columns, and nothing in front of them."""
    with open_browser() as browser:
        browser.get(address)
        shown = await_text(browser, "first run", "second run", "topic/shipped/macro_f1", "seed", seconds=120)
        assert shown.index("second run") < shown.index("first run")
        assert "0.8125" in shown
        assert not [word for word in ("telemetry", "usage data", "Which run performed best?") if word in shown]
        kept = browser.execute_script("return {...localStorage}")
        assert kept["mlflow.settings.telemetry.enabled_v1"] == "false"
        browser.save_screenshot(str(picture))


def runs_jobs(process: psutil.Process) -> bool:
    """MLflow's workers for jobs, which nothing here needs: nine processes."""
    try:
        return any("mlflow.server.jobs" in word for word in process.cmdline())
    except psutil.Error:
        return False


@pytest.mark.slow
def test_both_pages_answer_on_localhost_and_stop_on_ctrl_c(project: Path, tmp_path: Path) -> None:
    for number, name in enumerate(("first run", "second run")):
        with tracking.pipeline_run(name, {}) as run:
            run.log_metrics({"topic/shipped/macro_f1": 0.8125 + number / 10}, 0)
    prefect, mlflow = free_port(), free_port()
    words = [
        sys.executable,
        "-m",
        "cli.main",
        "ui",
        "--no-browser",
        "--prefect-port",
        str(prefect),
        "--mlflow-port",
        str(mlflow),
    ]
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
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as page:
            assert b"<html" in page.read().lower()
    address = next(word for word in told.split() if word.startswith(f"http://127.0.0.1:{mlflow}"))
    look_at_runs(address, tmp_path / "runs.png")
    with urllib.request.urlopen(f"http://127.0.0.1:{prefect}/api/admin/settings", timeout=60) as answer:
        assert json.load(answer)["server"]["analytics_enabled"] is False
    with urllib.request.urlopen(f"http://127.0.0.1:{prefect}/ui-settings", timeout=60) as answer:
        assert json.load(answer)["api_url"] == f"http://127.0.0.1:{prefect}/api"
    with urllib.request.urlopen(f"http://127.0.0.1:{mlflow}/ajax-api/3.0/mlflow/ui-telemetry", timeout=60) as answer:
        assert json.load(answer)["disable_ui_telemetry"] is True
    assert not [process for process in psutil.Process(pages.pid).children(recursive=True) if runs_jobs(process)]
    for name in ("prefect", "mlflow"):
        assert_healthy(project / ".lianzi" / f"{name}.log")
    pages.send_signal(signal.SIGINT)
    assert pages.wait(90) == 130
    time.sleep(0.5)
    require_free(prefect, "")
    require_free(mlflow, "")
