"""`lianzi ui`: Prefect's and MLflow's pages on localhost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from components import tracking
from components.errors import ServiceError
from components.params import load_params
from flows import env_defaults
from flows.record import record_missing
from flows.settings import project_root

if TYPE_CHECKING:
    from mlflow import MlflowClient

HOST = "127.0.0.1"
VIEW = "lianzi"
LARGEST_LOG = 16 << 20
COLUMNS = 4
"""The largest number of tasks whose metric has a column."""
PARAMETERS = ("pretrain.learning_rate", "finetune.learning_rate", "distill.learning_rate", "model.depth", "seed")


@click.command("ui")
@click.option("--prefect-port", default=4200, show_default=True, type=click.IntRange(1, 65535))
@click.option("--mlflow-port", default=5000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--browser/--no-browser", default=True, help="Open MLflow's page, where there is a screen.")
def command(prefect_port: int, mlflow_port: int, browser: bool) -> None:
    """Serve Prefect's and MLflow's pages on localhost until Ctrl-C."""
    serve_pages(project_root(), prefect_port, mlflow_port, browser)


def serve_pages(root: Path, prefect_port: int, mlflow_port: int, browser: bool) -> None:
    """Start both servers, print their addresses once they answer, stop both on Ctrl-C. Raises ServiceError.

    `browser`: open MLflow's page too, where there is a screen and a person at a terminal.
    """
    console = Console(highlight=False)
    for port, option in ((prefect_port, "--prefect-port"), (mlflow_port, "--mlflow-port")):
        require_free(port, option)
    metrics = {name: task.first_metric for name, task in load_params(root / "params.yaml").tasks.items()}
    runs = runs_page(tracking.connect(), metrics)
    record_missing(root)
    console.print("Starting the pages …")
    # Without this the page asks the server at PREFECT_API_URL, or at port 4200, whatever the port it came from.
    own = {"PREFECT_SERVER_UI_API_URL": f"http://{HOST}:{prefect_port}/api"}
    with (
        _server(_prefect_words(prefect_port), root, own) as prefect,
        _server(_mlflow_words(mlflow_port), root, {}) as mlflow,
    ):
        pages = {
            "Prefect (runs)": (prefect, f"http://{HOST}:{prefect_port}", "/api/health", ""),
            "MLflow (experiments, models)": (mlflow, f"http://{HOST}:{mlflow_port}", "/health", runs),
        }
        for name, (process, address, health, page) in pages.items():
            _await_answer(name, process, address + health)
            console.print(f"{name:30} {address}{page}", soft_wrap=True)
        if browser and _someone_looks():
            webbrowser.open(f"http://{HOST}:{mlflow_port}{runs}")
        console.print(f"\nRuns show up there live with PREFECT_API_URL=http://{HOST}:{prefect_port}/api lianzi run")
        console.print("Ctrl-C stops both.")
        _wait_for_any(prefect, mlflow)


def runs_page(client: MlflowClient, tasks: Mapping[str, str]) -> str:
    """The address of this project's runs in MLflow, newest first, with the columns that distinguish them; task -> its
    metric.

    The experiment's plain address opens an overview of agents and traces, which is empty here. Columns and order are a
    view that MLflow stores as a tag of the experiment, as its own button "share" does.
    """
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    columns = [f"metrics.`{task}/shipped/{metric}`" for task, metric in list(tasks.items())[:COLUMNS]]
    columns += [f"params.`{name}`" for name in PARAMETERS]
    view = {"orderByKey": "attributes.start_time", "orderByAsc": False, "selectedColumns": columns}
    client.set_experiment_tag(experiment.experiment_id, f"mlflow.sharedViewState.{VIEW}", json.dumps(view))
    route = f"/#/experiments/{experiment.experiment_id}/runs"
    return f"{route}?workflowType=machine_learning&viewStateShareKey={VIEW}"


def _someone_looks() -> bool:
    screen = sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return sys.stdout.isatty() and screen


def require_free(port: int, option: str) -> None:
    """Raises ServiceError when a process already listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise ServiceError(
                f"port {port} is in use", f"stop what uses it, or choose another with {option}"
            ) from None


def _prefect_words(port: int) -> list[str]:
    return [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)]


def _mlflow_words(port: int) -> list[str]:
    artifacts = Path("mlflow/artifacts").absolute().as_uri()
    words = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    # An environment set up before the project had a page of its own opens MLflow's.
    if any(app.name == "lianzi" for app in entry_points(group="mlflow.app")):
        words += ["--app-name", "lianzi"]
    return [*words, "--backend-store-uri", tracking.tracking_uri(), "--default-artifact-root", artifacts]


@contextmanager
def _server(words: list[str], root: Path, own: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A server in its own session; the block's end stops it with all its child processes. `own`: variables of it."""
    log = (root / ".lianzi").joinpath(f"{words[2]}.log")
    log.parent.mkdir(exist_ok=True)
    log.write_bytes(b"")
    with log.open("ab") as stream:  # appended to: it may be cut while the server writes
        variables = os.environ | env_defaults.OF_A_SERVER | dict(own)
        process = subprocess.Popen(words, cwd=root, env=variables, stdout=stream, stderr=stream, start_new_session=True)
    process.log = log  # type: ignore[attr-defined]
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def keep_small(log: Path, largest: int = LARGEST_LOG) -> None:
    """Move a log that has grown too large to NAME.1, in place of what is there, and begin it anew. A server of months
    fills no disk; what it writes in between the two steps is lost. Where that fails, the servers go on.
    """
    with suppress(OSError):  # removed by a person, or a full disk
        if log.stat().st_size > largest:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            os.truncate(log, 0)


def _await_answer(name: str, process: subprocess.Popen[bytes], address: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise ServiceError(f"{name} did not start", f"its log: {process.log}")  # type: ignore[attr-defined]


def _wait_for_any(*processes: subprocess.Popen[bytes]) -> None:
    while all(process.poll() is None for process in processes):
        for process in processes:
            keep_small(process.log)  # type: ignore[attr-defined]
        time.sleep(0.5)
    raise ServiceError("a server stopped by itself", "see .lianzi/*.log")
