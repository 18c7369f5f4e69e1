"""How long MLflow's pages take over 1,000 pipeline runs in SQLite: the list, the chart, and ten runs compared.

python -m benchmarks.mlflow_runs [--runs 1000]      two minutes; benchmarks/results/mlflow_runs.json
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from benchmarks.report import Figure, report
from components import tracking
from components.params import flatten, read_yaml
from tests.browser import await_text, open_browser
from tests.mlflow_server import MlflowServer

if TYPE_CHECKING:
    from mlflow import MlflowClient

ROOT = Path(__file__).parent.parent
LIMIT = 5.0
"""Seconds in which each page must stand."""
COMPARED = 10
_METRICS = 30
_SHOWN = "topic/shipped/macro_f1"


def main() -> int:
    """Measure and write benchmarks/results/mlflow_runs.json."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--runs", type=int, default=1000)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        client = tracking.connect()
        runs = fill(client, chosen.runs)
        with MlflowServer(Path(folder, "server"), Path(folder, "mlflow/mlflow.db")) as server:
            seconds = page_seconds(server.address, pages(runs))
    figures = {name: Figure(found, LIMIT, "s", 1.0) for name, found in seconds.items()}
    report("mlflow_runs", figures, ("mlflow",), f"Seconds until a page stands, of {LIMIT:g} allowed")
    return 0


def fill(client: MlflowClient, count: int) -> list[str]:
    """Log runs as the pipeline's are: all parameters, thirty headlines. Returns their ids."""
    from mlflow.entities import Metric, Param

    params = flatten(read_yaml(ROOT / "params.yaml"))
    luck = random.Random(0)
    runs = []
    for number in range(count):
        run_id = str(client.create_run("1", run_name=f"run {number:04d}").info.run_id)
        told = {**params, "finetune.learning_rate": luck.choice([1e-4, 3e-4, 1e-3]), "seed": number}
        kept = [Param(name, str(value)[:6000]) for name, value in told.items()]
        names = [_SHOWN, *(f"topic/metric_{index}" for index in range(1, _METRICS))]
        metrics = [Metric(name, luck.random(), int(time.time() * 1000), 0) for name in names]
        for start in range(0, len(kept), 100):
            client.log_batch(run_id, params=kept[start : start + 100])
        client.log_batch(run_id, metrics=metrics)
        client.set_terminated(run_id)
        runs.append(run_id)
    return runs


def pages(runs: list[str]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Name -> the route of a page, and the texts that stand in it once it is there."""
    list_of_runs = "/#/experiments/1/runs?workflowType=machine_learning"
    chosen = quote(json.dumps(runs[-COMPARED:]))
    compare = f"/#/compare-runs?runs={chosen}&experiments={quote(json.dumps(['1']))}"
    return {
        "list": (list_of_runs, (f"run {len(runs) - 1:04d}", f"run {len(runs) - 10:04d}")),
        "chart": (
            f"{list_of_runs}&compareRunsMode=CHART",
            (f"run {len(runs) - 1:04d}", _SHOWN.rpartition("/")[0]),
        ),  # the heading of its charts
        "compare": (compare, (f"Comparing {COMPARED} Runs", "finetune.learning_rate")),
    }


def page_seconds(address: str, wanted: Mapping[str, tuple[str, tuple[str, ...]]]) -> dict[str, float]:
    """Seconds until each page's texts stand in a browser that has MLflow's scripts already."""
    found = {}
    with open_browser() as browser:
        for name, (route, texts) in [("", next(iter(wanted.values()))), *wanted.items()]:
            browser.get("about:blank")
            began = time.monotonic()
            browser.get(address + route)
            await_text(browser, *texts, seconds=120)
            found[name] = time.monotonic() - began
    del found[""]  # the first load fetches the scripts
    return found


if __name__ == "__main__":
    raise SystemExit(main())
