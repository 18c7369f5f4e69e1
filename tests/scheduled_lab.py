"""A small project under a real Prefect server and a real process worker, each of which may be killed."""

from __future__ import annotations

import contextlib
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from flows import env_defaults
from tests.small_store import copy_store

ROOT = Path(__file__).parent.parent
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
DVC_YAML = """
stages:
  first:
    cmd: sleep ${seconds}; cat data/source.txt > first.txt; cat first.txt >> computed.log
    deps: [data]
    outs: [first.txt]
  second:
    cmd: sleep ${seconds}; cat first.txt > second.txt
    deps: [first.txt]
    outs: [second.txt]
"""


def make_project(folder: Path, store: Path, seconds: float = 1.0) -> Path:
    """A git and DVC project with data and two stages of some seconds; `computed.log` has a line each time one ran."""
    folder.mkdir(parents=True)
    (folder / "dvc.yaml").write_text(f"vars: [{{seconds: {seconds}}}]\n{DVC_YAML}")
    shutil.copy(ROOT / "params.yaml", folder)
    copy_store(store, folder)
    for name in ("components", "flows", "infra"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "sample-data"))
    change_data(folder, "words")
    (folder / ".gitignore").write_text("/mlflow\n/.lianzi\n__pycache__\n/*.txt\n/computed.log\n/reports\n")
    for words in (
        ["git", "init", "-q"],
        ["dvc", "init", "-q"],
        ["dvc", "add", "-q", "data"],
        ["git", "add", "-A"],
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "begin"],
    ):
        subprocess.run(words, cwd=folder, check=True)
    return folder


def change_data(project: Path, text: str) -> None:
    (project / "data").mkdir(exist_ok=True)
    (project / "data" / "source.txt").write_text(f"{text}\n")


class Lab:
    """The services of one folder, and what a test asks them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.folder = folder
        self.settings = {
            "PREFECT_API_URL": f"http://127.0.0.1:{self.port}/api",
            "PREFECT_HOME": str(folder / "prefect"),
            # The command itself is the server's way out of SIGKILL: what it knew stands on the disk.
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Lab:
        self.start("server")
        return self

    def __exit__(self, *_: object) -> None:
        # The server is the first that was started.
        for name in reversed(self.processes):
            self._end(self.processes[name])

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
        return kept | self.settings

    def start(self, name: str, pool: str = "local") -> None:
        """Start `server`, or a worker of a pool by any other name; a server answers when this returns."""
        words = ["server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        words = words if name == "server" else ["worker", "start", "--pool", pool]
        quiet = env_defaults.OF_A_SERVER if name == "server" else {}
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "prefect", *words],
                cwd=self.folder,
                env=self.environment | quiet,
                stdout=log,
                stderr=log,
            )
        if name == "server":
            self.wait(lambda: self._healthy(), 120)

    def kill(self, name: str) -> None:
        """SIGKILL, as the kernel does it when memory runs out; a server's helper processes go with it."""
        process = self.processes[name]
        children = psutil.Process(process.pid).children(recursive=True) if name == "server" else []
        process.kill()
        process.wait()
        for child in children:
            with contextlib.suppress(psutil.Error):
                child.kill()

    def flow_processes(self, project: Path) -> list[psutil.Process]:
        """The processes that carry out this project's flow runs now."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.cwd() == str(project) and "prefect.engine" in process.cmdline():
                    found.append(process)
        return found

    def call(self, project: Path, *words: str) -> str:
        """A `lianzi` command in the project, as a person calls it."""
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *words],
            cwd=project,
            env=self.environment | {"PYTHONPATH": str(ROOT), "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def python(self, program: str, *words: str) -> None:
        """A program of Prefect's own API."""
        subprocess.run([sys.executable, "-c", program, *words], env=self.environment, check=True)

    def ask(self, path: str, body: dict[str, Any], method: str = "POST") -> Any:
        request = urllib.request.Request(
            self.settings["PREFECT_API_URL"] + path,
            json.dumps(body).encode(),
            {"content-type": "application/json"},
            method=method,
        )
        deadline = time.monotonic() + 90
        while True:
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.loads(answer.read() or "null")
            except OSError as error:
                # As Prefect's own clients do: the server is away, or says that SQLite was locked.
                if getattr(error, "code", 503) != 503 or time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def deployment(self, project: Path) -> dict[str, Any]:
        found = [there for there in self.ask("/deployments/filter", {}) if there["tags"][0].endswith(f":{project}")]
        assert len(found) == 1, found
        deployment: dict[str, Any] = found[0]
        return deployment

    def runs(self, deployment: str, **more: Any) -> list[dict[str, Any]]:
        """The deployment's runs in the order of the times they were meant for."""
        wanted = {"flow_runs": {"deployment_id": {"any_": [deployment]}, **more}, "sort": "EXPECTED_START_TIME_ASC"}
        found: list[dict[str, Any]] = self.ask("/flow_runs/filter", wanted)
        return found

    def begin(self, deployment: str, **parameters: Any) -> str:
        run = self.ask(f"/deployments/{deployment}/create_flow_run", {"parameters": parameters})
        return str(run["id"])

    def state(self, run: str) -> dict[str, Any]:
        state: dict[str, Any] = self.ask("/flow_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})[0]["state"]
        return state

    def ended(self, run: str, seconds: float = 180) -> dict[str, Any]:
        """The run's last state once it has ended for good: a crashed run starts again."""
        self.wait(lambda: self.state(run)["type"] in ("COMPLETED", "FAILED", "CANCELLED"), seconds)
        return self.state(run)

    def states(self, run: str) -> list[str]:
        """The names of the states that the run had, the first one first."""
        found = self.ask(f"/flow_run_states/?flow_run_id={run}", {}, "GET")
        return [state["name"] for state in sorted(found, key=lambda state: state["timestamp"])]

    def wait(self, until: Callable[[], Any], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not until():
            if time.monotonic() > deadline:
                tails = "\n".join(f"{path}:\n{path.read_text(errors='replace')[-6000:]}" for path in self._logs())
                raise AssertionError(f"not within {seconds} s\n{tails}")
            time.sleep(0.5)

    def _logs(self) -> list[Path]:
        return sorted(self.folder.glob("*.log"))

    def _healthy(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.settings['PREFECT_API_URL']}/health", timeout=2).close()
            return True
        except OSError:
            return False

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is not None:
            return
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
        for child in family:
            with contextlib.suppress(psutil.Error):
                child.kill()
