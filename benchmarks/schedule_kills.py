"""Kill a Prefect server, its worker or a flow with SIGKILL at random moments under a cron of one minute.

python -m benchmarks.schedule_kills [--kills 20] [--seed 1] [--record]

Services that died are started again after some seconds, as a service manager does; flows are not: that is the
deployment's own matter. The data changes before each kill, so that every run has work. Then: does each next run
complete, does MLflow hold no flow run's work twice, how long was a dead run Running, and is a service's log clean?
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks.report import machine
from components import tracking
from components.artifacts import write_json
from flows import env_defaults
from tests.scheduled_lab import Lab, change_data, make_project
from tests.service_logs import RECOVERED, errors_in

RESULTS = Path(__file__).parent / "results" / "schedule_kills.json"
VICTIMS = ("server", "worker", "flow", "worker and flow")
LONGEST = 600.0
"""Seconds that the next run has to complete."""


def main() -> None:
    """Kill, print a line a kill, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    env_defaults.prepare()
    with tempfile.TemporaryDirectory(prefix="schedule_kills") as folder:
        found = measure(Path(folder), given.kills, random.Random(given.seed))
    print(found)
    if given.record:
        write_json(RESULTS, {"machine": machine(), "seed": given.seed, **found})


def measure(folder: Path, kills: int, chance: random.Random) -> dict[str, Any]:
    """The outcome of so many kills in a project of its own."""
    project = make_project(folder / "project", _store(folder), seconds=3)
    victims: Counter[str] = Counter()
    with Lab(folder / "lab") as lab:
        lab.call(project, "schedule", "--cron", "* * * * *")
        lab.start("worker")
        deployment = lab.deployment(project)["id"]
        completed = while_running = 0
        for number in range(kills):
            change_data(project, f"data {number}")
            lab.wait(lambda: lab.flow_processes(project), LONGEST)
            # A process begins for seconds, on a busy machine for most of its time, before its run is Running.
            if chance.random() < 0.5:
                lab.wait(lambda: _running(lab, deployment), LONGEST)
            time.sleep(chance.uniform(0, 10))
            while_running += bool(_running(lab, deployment))
            victim = chance.choice(VICTIMS)
            victims[victim] += 1
            at = time.time()
            _kill(lab, project, victim)
            lab.wait(lambda since=at: _completed_since(lab, deployment, since), LONGEST)  # type: ignore[misc]
            completed += 1
            print(f"{number + 1}: {victim}: a run completed {time.time() - at:.0f} s later", flush=True)
        lab.ask(f"/deployments/{deployment}/pause_deployment", {})
        longest = max((_seconds_running(lab, run["id"]) for run in lab.runs(deployment)), default=0.0)
        errors = Counter(
            _kind(record.splitlines()[0])
            for name in ("server", "worker")
            for record in errors_in(lab.log(name).read_text(errors="replace"), (*RECOVERED, "crashed", "status code"))
        )
    return {
        "kills": dict(victims),
        "kills_while_running": while_running,
        "followed_by_a_completed_run": completed,
        "finished_twice": _finished_twice(project),
        "longest_running_before_a_crash_seconds": round(longest, 1),
        "errors_in_logs": dict(sorted(errors.items())),
    }


def _kind(line: str) -> str:
    """What an error in a log is called, without what it is about: ids, folders, a flow run's name."""
    if line.startswith("Traceback"):
        return "a traceback by itself"
    message = line.rpartition(" | ")[2]
    return re.sub(r"'[0-9a-f-]{36}'", "ID", re.split(r"[(<]", message)[0]).strip()


def _store(folder: Path) -> Path:
    (folder / "store" / "mlflow").mkdir(parents=True)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    with contextlib.chdir(folder / "store"):
        tracking.connect()
    return folder / "store" / "mlflow"


def _kill(lab: Lab, project: Path, victim: str) -> None:
    for name in ("server", "worker"):
        if name in victim:
            lab.kill(name)
    if "flow" in victim:
        for process in lab.flow_processes(project):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    time.sleep(3)
    for name in ("server", "worker"):
        if name in victim:
            lab.start(name)


def _running(lab: Lab, deployment: str) -> list[Any]:
    return lab.runs(deployment, state={"name": {"any_": ["Running"]}})


def _completed_since(lab: Lab, deployment: str, since: float) -> bool:
    """Whether a run that began after the kill has done its work."""
    done = lab.runs(deployment, state={"name": {"any_": ["Completed"]}})
    return any(run["start_time"] and datetime.fromisoformat(run["start_time"]).timestamp() > since for run in done)


def _seconds_running(lab: Lab, run: str) -> float:
    """The longest time between a run's Running and its Crashed, or the end where nobody has seen that it died."""
    states = sorted(lab.ask(f"/flow_run_states/?flow_run_id={run}", {}, "GET"), key=lambda state: state["timestamp"])
    named = [(state["name"], datetime.fromisoformat(state["timestamp"]).timestamp()) for state in states]
    following = [*named[1:], ("Crashed", time.time())]
    return max(
        (
            until - since
            for (name, since), (then, until) in zip(named, following, strict=True)
            if name == "Running" and then == "Crashed"
        ),
        default=0.0,
    )


def _finished_twice(project: Path) -> int:
    """How many flow runs have more than one finished run in MLflow."""
    with contextlib.chdir(project):
        client = tracking.connect()
        experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id], "attributes.status = 'FINISHED'")
    counts = Counter(run.data.tags["prefect.flow_run_id"] for run in runs if "prefect.flow_run_id" in run.data.tags)
    return sum(count > 1 for count in counts.values())


if __name__ == "__main__":
    main()
