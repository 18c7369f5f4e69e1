"""Requests a second and latency of `lianzi serve`, LitServe and `mlflow models serve`, from the same bundle, in turn.

python -m benchmarks.serving [--tasks NAME…] [--seconds S] [--rounds N] [--triton] [--overload SECONDS]

All servers are started; clients ask one of them while the others stand still, then another, each client one text after
the other over a kept connection. In the same turns one thread answers row by row in process. `--triton` also asks ours
through Triton's own Python client, in an environment of its own. `--overload` (a release is tried with 60) asks ours
alone, for more than it can answer, then kills it and starts it anew.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contending_servers import ROOT, Contender, alone, free_port, litserve, mlflow, ours, running
from benchmarks.overload import ALLOWED, CLIENTS, ROWS, overload, seconds_to_restart, server_words
from benchmarks.peers.environment import PEERS, call_script, peer_python
from benchmarks.report import Figure, report
from components.runtime.bundle import Classifier, load_bundle

TASKS = ("topic", "form")
ASKING = (2, 8, 32)
"""Clients at once."""
USUAL = 8
SPEED_GOAL, LITSERVE_GOAL, IN_PROCESS_GOAL, LATENCY_GOAL = 2.0, 2.5, 0.4, 1.0
TAIL_GOAL = 3.0
"""The most that the 99th percentile may be of the median."""
RESTART_GOAL = 5.0
"""Seconds."""


@dataclass
class InProcess:
    """One thread that answers texts with a loaded bundle; `paces` in rows a second, one a round."""

    model: Classifier
    texts: list[str]
    paces: list[float] = field(default_factory=list)

    def take_turn(self, seconds: float) -> None:
        """A row at a time."""
        begun, rows = time.perf_counter(), 0
        for text in itertools.cycle(self.texts):
            self.model.predict([text])
            rows += 1
            if (spent := time.perf_counter() - begun) > seconds:
                break
        self.paces.append(rows / spent)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--tasks", nargs="+", default=TASKS, help="tasks of this project whose bundles are served")
    options.add_argument("--seconds", type=float, default=4.0, help="of a turn")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--triton", action="store_true", help="ask ours through Triton's client as well")
    options.add_argument("--overload", type=float, metavar="SECONDS", help="ask ours for more than it can answer")
    chosen = options.parse_args()
    if chosen.overload:
        return overloaded(bundle_of(chosen.tasks[0]), texts_of(chosen.tasks[0]), chosen.overload)
    made: dict[str, Figure] = {}
    for task in chosen.tasks:
        made |= compared(task, chosen.seconds, chosen.rounds, chosen.triton)
    note = f"A text a request, {chosen.rounds} rounds with turns of {chosen.seconds:g} s"
    report("serving", made, ("fastapi", "httptools", "mlflow", "onnxruntime", "uvicorn"), note)
    return 0


def bundle_of(task: str) -> Path:
    return ROOT / "artifacts" / task / "bundle"


def texts_of(task: str) -> list[str]:
    lines = (ROOT / "artifacts" / "tasks" / task / "test.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


def compared(task: str, seconds: float, rounds: int, triton: bool) -> dict[str, Figure]:
    """The figures of one task."""
    bundle, texts = bundle_of(task), texts_of(task)
    with tempfile.TemporaryDirectory() as folder:
        save_pyfunc(bundle, Path(folder) / "model")
        found = {"ours": ours(bundle, task), "LitServe": litserve(bundle)}
        for workers in (1, os.cpu_count() or 1):
            found[f"MLflow, {workers} worker{'s' * (workers > 1)}"] = mlflow(Path(folder) / "model", workers)
        in_process = InProcess(load_bundle(bundle), texts)
        with running(list(found.values()), texts):
            check_equal_answers(found, texts[:32])
            if triton:
                ask_by_triton(found["ours"].port, task, texts[:4])
            measure(found, in_process, seconds, rounds)
    return figures(task, found, in_process)


def measure(found: dict[str, Contender], in_process: InProcess, seconds: float, rounds: int) -> None:
    """The order is reversed every round; a first turn of each server is not counted."""
    everyone = list(found.values())
    turns = [
        (one, clients)
        for name, one in found.items()
        for clients in (ASKING if name in ("ours", "LitServe") else (USUAL,))
    ]
    for one in everyone:
        with alone(one, everyone):
            one.take_turn(USUAL, min(seconds, 2.0), counted=False)
    for number in range(rounds):
        for one, clients in turns if number % 2 else reversed(turns):
            with alone(one, everyone):
                one.take_turn(clients, seconds)
        with alone(None, everyone):
            in_process.take_turn(seconds)


def figures(task: str, found: dict[str, Contender], in_process: InProcess) -> dict[str, Figure]:
    """Of each peer the time of a request and the 99th percentile; of ours the tail, and the pace in process."""
    mine = found["ours"]
    made = {
        f"{task}: a request at {USUAL} clients, in process": pace(mine.paces[USUAL], in_process.paces, IN_PROCESS_GOAL)
    }
    for clients in ASKING:
        made[f"{task}: 99th percentile beside the median, {clients} clients"] = Figure(
            mine.milliseconds(clients, 99), mine.milliseconds(clients, 50), "ms", 1 / TAIL_GOAL
        )
    for name, peer in found.items():
        if peer is mine:
            continue
        goal = LITSERVE_GOAL if name == "LitServe" else SPEED_GOAL
        for clients in sorted(peer.paces):
            made[f"{task}: a request at {clients} clients, {name}"] = pace(
                mine.paces[clients], peer.paces[clients], goal if clients == USUAL else None
            )
            made[f"{task}: 99th percentile at {clients} clients, {name}"] = Figure(
                mine.milliseconds(clients, 99), peer.milliseconds(clients, 99), "ms", LATENCY_GOAL
            )
    return made


def pace(mine: list[float], theirs: list[float], goal: float | None) -> Figure:
    """Milliseconds a request of each, the median of the rounds, and the lowest and highest ratio of a round."""
    ratios = [one / other for one, other in zip(mine, theirs, strict=True)]
    middle, other = (1000 / statistics.median(paces) for paces in (mine, theirs))
    return Figure(middle, other, "ms", goal, (min(ratios), max(ratios)))


def overloaded(bundle: Path, texts: list[str], seconds: float) -> int:
    """0 where only answers, 429 and 503 came, memory stayed flat and a killed server was back soon."""
    port = free_port()
    mine = ours(bundle, bundle.parent.name)
    mine.words, mine.port = server_words(str(bundle), port), port
    with running([mine], texts):
        assert mine.process is not None
        found = overload(port, mine.process.pid, mine.path, texts, seconds)
    back = seconds_to_restart(mine.words, port, mine.path, texts[0])
    print(f"{CLIENTS} clients, {ROWS} texts a request, {seconds:g} s: {found.line()}")
    print(f"killed and started again: {back:.1f} s to the first answer")
    made = {
        "memory, end of an overload beside its beginning": Figure(found.late / 2**20, found.early / 2**20, "MiB", 0.9),
        "back after SIGKILL": Figure(back, RESTART_GOAL, "s", LATENCY_GOAL),
    }
    report("overload", made, ("fastapi", "onnxruntime", "uvicorn"), f"{seconds:g} s; {found.line()}")
    well = set(found.codes) <= ALLOWED and not found.unanswered and found.flat and back <= RESTART_GOAL
    return 0 if well else 1


def save_pyfunc(bundle: Path, folder: Path) -> None:
    """The bundle as the model that `lianzi run` registers, without code: the peer runs in this checkout."""
    import mlflow

    mlflow.pyfunc.save_model(path=folder, loader_module="components.pyfunc", data_path=str(bundle), pip_requirements=[])


def check_equal_answers(found: dict[str, Contender], texts: list[str]) -> None:
    """Each text by itself, so that all answer to the bit the same."""
    labels = [[one.label(one.answer(text)) for text in texts] for one in found.values()]
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


if __name__ == "__main__":
    sys.exit(main())
