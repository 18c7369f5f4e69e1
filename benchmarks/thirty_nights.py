"""The disk that scheduled runs take, folder by folder: on a real server and worker, with new data every night.

python -m benchmarks.thirty_nights [--nights 30] [--record]

What grows is told by night. Results and their models are kept (DVC's cache, mlflow/): `lianzi gc` removes
those that nothing needs. What is only about a run is bounded: Prefect's database forgets runs after 30 days, logs of
`lianzi ui` are cut at 16 MiB, `.lianzi/` holds what a run replaces.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.report import machine
from components import tracking
from components.artifacts import write_json
from flows import env_defaults
from tests.scheduled_lab import Lab, change_data, make_project

RESULTS = Path(__file__).parent / "results" / "thirty_nights.json"
LONGEST = 900.0
"""Seconds that a run has to complete."""


def main() -> None:
    """Run the nights, print the kilobytes of each folder after each, and the growth a night."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    env_defaults.prepare()
    with tempfile.TemporaryDirectory(prefix="thirty_nights") as folder:
        found = measure(Path(folder), given.nights)
    growth = {name: round((sizes[-1] - sizes[0]) / max(given.nights - 1, 1), 1) for name, sizes in found.items()}
    print("kilobytes a night:", growth)
    if given.record:
        content = {"machine": machine(), "nights": given.nights, "kilobytes": found, "kilobytes_a_night": growth}
        write_json(RESULTS, content)


def measure(folder: Path, nights: int) -> dict[str, list[float]]:
    """Kilobytes of each folder after each night."""
    project = make_project(folder / "project", _store(folder), seconds=0)
    places = {
        ".lianzi": project / ".lianzi",
        "mlflow": project / "mlflow",
        "DVC's cache": project / ".dvc" / "cache",
        "Prefect": folder / "lab" / "prefect",
        "logs of server and worker": folder / "lab",
    }
    found: dict[str, list[float]] = {name: [] for name in places}
    with Lab(folder / "lab") as lab:
        lab.call(project, "schedule", "--cron", "0 0 1 1 *")
        lab.start("worker")
        deployment: Any = lab.deployment(project)["id"]
        for night in range(nights):
            change_data(project, f"night {night}")
            run = lab.begin(deployment)
            lab.wait(lambda run=run: lab.state(run)["type"] == "COMPLETED", LONGEST)  # type: ignore[misc]
            for name, place in places.items():
                files = place.glob("*.log") if name.startswith("logs") else place.rglob("*")
                found[name].append(round(sum(file.stat().st_size for file in files if file.is_file()) / 1000, 1))
            print(night + 1, {name: sizes[-1] for name, sizes in found.items()}, flush=True)
    return found


def _store(folder: Path) -> Path:
    (folder / "store" / "mlflow").mkdir(parents=True)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    with contextlib.chdir(folder / "store"):
        tracking.connect()
    return folder / "store" / "mlflow"


if __name__ == "__main__":
    main()
