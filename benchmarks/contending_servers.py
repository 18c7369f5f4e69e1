"""Servers of the same bundle that a benchmark asks in turn: how each is started, asked, and kept still meanwhile."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.http_load import ask, request
from benchmarks.peers.environment import PEERS, peer_python

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}


@dataclass
class Contender:
    """A server and how it is asked; of each number of clients, `paces` in requests a second, one a round, and `seconds`
    of every request.
    """

    words: list[str]
    port: int
    path: str
    health: str
    body: Callable[[str], Any]
    label: Callable[[Any], str]
    """Of an answer."""
    process: subprocess.Popen[bytes] | None = None
    requests: list[bytes] = field(default_factory=list)
    paces: dict[int, list[float]] = field(default_factory=dict)
    seconds: dict[int, list[float]] = field(default_factory=dict)

    def take_turn(self, clients: int, seconds: float, counted: bool = True) -> None:
        """Ask for so long."""
        spent = ask(self.port, self.requests, clients, seconds)
        if counted:
            self.paces.setdefault(clients, []).append(len(spent) / seconds)
            self.seconds.setdefault(clients, []).extend(spent)

    def milliseconds(self, clients: int, percentile: int) -> float:
        """Of the requests of so many clients."""
        return statistics.quantiles(self.seconds[clients], n=100)[percentile - 1] * 1000

    def answer(self, text: str) -> Any:
        """The answer to one text. Ends the benchmark when it is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", self.path, json.dumps(self.body(text)), {"content-type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        if response.status != 200:
            sys.exit(f"{self.path} answered {response.status}: {content[:200]!r}")
        return json.loads(content)

    def signal(self, number: int) -> None:
        """To the server and its children."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, number)


def ours(bundle: Path, task: str) -> Contender:
    """`lianzi serve`, its line a request included."""
    port = free_port()
    words = [sys.executable, "-m", "cli.main", "serve", str(bundle), "--port", str(port)]
    return Contender(words, port, f"/v2/models/{task}/infer", "/v2/health/ready", _v2, _v2_label)


def litserve(bundle: Path) -> Contender:
    """LitServe, in an environment of its own with the project's onnxruntime, tokenizers and FastAPI."""
    port = free_port()
    python = peer_python("litserve", sharing=True)
    words = [str(python), str(PEERS / "serving_litserve.py"), str(bundle), str(port)]
    return Contender(words, port, "/predict", "/health", lambda text: {"text": text}, lambda answer: answer["label"])


def mlflow(model: Path, workers: int) -> Contender:
    """`mlflow models serve` of a saved pyfunc."""
    port = free_port()
    words = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local"]
    words += ["--port", str(port), "--workers", str(workers)]
    return Contender(words, port, "/invocations", "/ping", _frame, lambda answer: answer["predictions"][0]["label"])


def _v2(text: str) -> Any:
    return {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": [text]}]}


def _v2_label(answer: Any) -> str:
    return str(answer["outputs"][0]["data"][0])


def _frame(text: str) -> Any:
    return {"dataframe_split": {"columns": ["text"], "data": [[text]]}}


@contextmanager
def running(found: list[Contender], texts: list[str]) -> Iterator[None]:
    """All of them answer, each with its children in a session of its own."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    try:
        for one in found:
            one.requests = [request(one.path, json.dumps(one.body(text)).encode()) for text in texts]
            one.process = subprocess.Popen(one.words, cwd=ROOT, env=os.environ | ENVIRONMENT, **quiet)  # type: ignore[call-overload]
        for one in found:
            _await_health(one)
        yield
    finally:
        for one in found:
            one.signal(signal.SIGCONT)
            one.signal(signal.SIGTERM)
        for one in found:
            _end(one)


@contextmanager
def alone(one: Contender | None, found: list[Contender]) -> Iterator[None]:
    """All others stand still: a worker of LitServe looks for work without a pause, at the cost of whoever is asked."""
    for other in found:
        if other is not one:
            other.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for other in found:
            other.signal(signal.SIGCONT)


def _end(one: Contender) -> None:
    if one.process is not None:
        try:
            one.process.wait(30)
        except subprocess.TimeoutExpired:
            one.signal(signal.SIGKILL)


def _await_health(one: Contender, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and one.process is not None and one.process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=5)
        try:
            connection.request("GET", one.health)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.2)
    sys.exit(f"{' '.join(one.words)} did not start")


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
