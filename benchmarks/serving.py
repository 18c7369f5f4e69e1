"""Requests a second and latency of `lianzi serve` and of `mlflow models serve`, from the same bundle, in turn.

python -m benchmarks.serving [--clients N] [--seconds S] [--rounds N] [--bundle FOLDER] [--texts FILE] [--triton]
                            [--overload SECONDS]

Both servers run all the time; clients ask one of them, then another, each client one text after the other over a kept
connection. `--triton` also asks ours through Triton's own Python client, in an environment of its own. `--overload`
(a release is tried with 60) asks ours alone, for more than it can answer, then kills it and starts it anew.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.overload import ALLOWED, CLIENTS, ROWS, overload, seconds_to_restart, server_words
from benchmarks.peers.environment import PEERS, call_script, peer_python
from benchmarks.report import Figure, report

ROOT = Path(__file__).parent.parent
SPEED_GOAL, LATENCY_GOAL = 2.0, 1.0
RESTART_GOAL = 5.0
"""Seconds."""


@dataclass
class Contender:
    """A server and how it is asked; `paces` in requests a second, one a round, `seconds` of every request."""

    words: list[str]
    port: int
    path: str
    health: str
    bodies: list[bytes]
    paces: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.seconds, n=100)[98]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--clients", type=int, default=8)
    options.add_argument("--seconds", type=float, default=8.0, help="of a turn")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--bundle", type=Path, default=ROOT / "artifacts/topic/bundle")
    options.add_argument("--texts", type=Path, default=ROOT / "artifacts/tasks/topic/test.jsonl")
    options.add_argument("--triton", action="store_true", help="ask ours through Triton's client as well")
    options.add_argument("--overload", type=float, metavar="SECONDS", help="ask ours for more than it can answer")
    chosen = options.parse_args()
    texts = [json.loads(line)["text"] for line in chosen.texts.read_text(encoding="utf-8").splitlines()]
    if chosen.overload:
        return overloaded(chosen.bundle, texts, chosen.overload)
    with tempfile.TemporaryDirectory() as folder:
        found = contenders(chosen.bundle, Path(folder), texts)
        with running(list(found.values())):
            check_equal_answers(found, texts[:32])
            if chosen.triton:
                ask_by_triton(found["ours"].port, task_of(chosen.bundle), texts[:4])
            measure(list(found.values()), chosen.clients, chosen.seconds, chosen.rounds)
    note = f"{chosen.clients} clients, a text a request, {chosen.rounds} turns of {chosen.seconds:g} s each"
    report("serving", figures(found), ("fastapi", "mlflow", "onnxruntime", "uvicorn"), note)
    return 0


def overloaded(bundle: Path, texts: list[str], seconds: float) -> int:
    """0 where only answers, 429 and 503 came, memory stayed flat and a killed server was back soon."""
    port = free_port()
    path = f"/v2/models/{task_of(bundle)}/infer"
    ours = Contender(server_words(str(bundle), port), port, path, "/v2/health/ready", [])
    with running([ours]) as (process,):
        found = overload(port, process.pid, path, texts, seconds)
    back = seconds_to_restart(ours.words, port, path, texts[0])
    print(f"{CLIENTS} clients, {ROWS} texts a request, {seconds:g} s: {found.line()}")
    print(f"killed and started again: {back:.1f} s to the first answer")
    made = {
        "memory, end of an overload beside its beginning": Figure(found.late / 2**20, found.early / 2**20, "MiB", 0.9),
        "back after SIGKILL": Figure(back, RESTART_GOAL, "s", LATENCY_GOAL),
    }
    report("overload", made, ("fastapi", "onnxruntime", "uvicorn"), f"{seconds:g} s; {found.line()}")
    well = set(found.codes) <= ALLOWED and not found.unanswered and found.flat and back <= RESTART_GOAL
    return 0 if well else 1


def contenders(bundle: Path, folder: Path, texts: list[str]) -> dict[str, Contender]:
    """Ours; MLflow's with the one process it starts by itself; MLflow's with a process a core."""
    save_pyfunc(bundle, folder / "model")
    v2 = [{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": [text]}]} for text in texts]
    frames = [{"dataframe_split": {"columns": ["text"], "data": [[text]]}} for text in texts]
    serve = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder / "model"), "--env-manager", "local"]
    ports = [free_port() for _ in range(3)]
    ours = [sys.executable, "-m", "cli.main", "serve", str(bundle), "--port", str(ports[0])]
    found = {"ours": Contender(ours, ports[0], f"/v2/models/{task_of(bundle)}/infer", "/v2/health/ready", encoded(v2))}
    for workers, port in zip((1, os.cpu_count() or 1), ports[1:], strict=True):
        words = [*serve, "--port", str(port), "--workers", str(workers)]
        found[f"mlflow, {workers} worker{'s' * (workers > 1)}"] = Contender(
            words, port, "/invocations", "/ping", encoded(frames)
        )
    return found


def task_of(bundle: Path) -> str:
    return str(json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["task"])


def save_pyfunc(bundle: Path, folder: Path) -> None:
    """The bundle as the model that `lianzi run` registers, without code: the peer runs in this checkout."""
    import mlflow

    mlflow.pyfunc.save_model(path=folder, loader_module="components.pyfunc", data_path=str(bundle), pip_requirements=[])


def measure(found: list[Contender], clients: int, seconds: float, rounds: int) -> None:
    """The order is reversed every round; a first, shorter round is not counted."""
    for contender in found:
        ask_for(contender, clients, min(seconds, 2.0))
    for number in range(rounds):
        for contender in found if number % 2 else reversed(found):
            spent = ask_for(contender, clients, seconds)
            contender.paces.append(len(spent) / seconds)
            contender.seconds += spent


def ask_for(contender: Contender, clients: int, seconds: float) -> list[float]:
    """Seconds of every request that was answered before the turn ended."""
    spent: list[list[float]] = [[] for _ in range(clients)]
    end = time.perf_counter() + seconds
    threads = [
        threading.Thread(target=one_client, args=(contender, number, clients, end, spent[number]))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return list(itertools.chain.from_iterable(spent))


def one_client(contender: Contender, number: int, clients: int, end: float, spent: list[float]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", contender.port, timeout=60)
    for body in itertools.cycle(contender.bodies[number::clients]):
        began = time.perf_counter()
        answer(connection, contender.path, body)
        done = time.perf_counter()
        if done > end:
            break
        spent.append(done - began)
    connection.close()


def answer(connection: http.client.HTTPConnection, path: str, body: bytes) -> Any:
    """The parsed answer. Ends the benchmark when it is no answer."""
    connection.request("POST", path, body, {"content-type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    if response.status != 200:
        sys.exit(f"{path} answered {response.status}: {content[:200]!r}")
    return content


def check_equal_answers(found: dict[str, Contender], texts: list[str]) -> None:
    """Each text by itself, so that both answer to the bit the same."""
    labels = []
    for contender in found.values():
        connection = http.client.HTTPConnection("127.0.0.1", contender.port, timeout=60)
        given = [json.loads(answer(connection, contender.path, body)) for body in contender.bodies[: len(texts)]]
        labels.append(
            [one["outputs"][0]["data"][0] if "outputs" in one else one["predictions"][0]["label"] for one in given]
        )
        connection.close()
    if any(other != labels[0] for other in labels):
        sys.exit("the servers do not answer alike")


def ask_by_triton(port: int, task: str, texts: list[str]) -> None:
    found = call_script(
        peer_python("serving"), PEERS / "serving_client.py", f"127.0.0.1:{port}", task, "label,scores", *texts
    )
    if not (found["live"] and found["ready"] and found["binary"] == found["json"]):
        sys.exit(f"Triton's client is not served as it should be: {found}")
    outputs = ", ".join(found["everything"])
    print(f"Triton's client: {outputs}, the same in JSON and in binary; refused: {found['refused']}")


def figures(found: dict[str, Contender]) -> dict[str, Figure]:
    ours = found.pop("ours")
    made = {}
    for name, peer in found.items():
        pace = [1000 / statistics.median(one.paces) for one in (ours, peer)]
        made[f"a request, {name}"] = Figure(*pace, "ms", SPEED_GOAL)
        made[f"99th percentile, {name}"] = Figure(ours.p99 * 1000, peer.p99 * 1000, "ms", LATENCY_GOAL)
    return made


@contextmanager
def running(found: list[Contender]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Servers that answer, each with its children in a session of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for contender in found:
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
            processes.append(subprocess.Popen(contender.words, cwd=ROOT, env=environment, **quiet))  # type: ignore[call-overload]
        for contender, process in zip(found, processes, strict=True):
            await_health(contender, process)
        yield processes
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, 15)
            process.wait(30)


def await_health(contender: Contender, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", contender.port, timeout=5)
        try:
            connection.request("GET", contender.health)
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
        finally:
            connection.close()
    sys.exit(f"{' '.join(contender.words)} did not start")


def encoded(contents: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(content).encode() for content in contents]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
