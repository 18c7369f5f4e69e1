"""The machine's processor, memory, disk, network and GPU while a stage runs, by MLflow's own monitors.

MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING=false turns them off. What they measure goes through the run's buffer, and thus
survives a store that is away; MLflow's own thread would ask the store at each sample, and stop when it is away.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from components.errors import first_line
from components.tracking.tracked_run import TrackedRun

if TYPE_CHECKING:
    from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor

SECONDS = 10.0
"""Between two samples: a stage that is shorter has none."""
_LEAST_SECONDS = 0.01
_SWITCH = "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"
_INTERVAL = "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"


@contextmanager
def system_metrics(run: TrackedRun, started: float) -> Iterator[None]:
    """Sample the machine beside the block. `started`: when the run began, in seconds since 1970; a sample's step is the
    seconds since."""
    if os.environ.get(_SWITCH, "true").lower() in ("false", "0"):
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_sample, args=(run, started, over, _seconds()), daemon=True, name="system metrics")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _seconds() -> float:
    """Between two samples, as the variable says; the usual ones, and a line, where it says nothing that can be."""
    given = os.environ.get(_INTERVAL)
    if not given:
        return SECONDS
    with contextlib.suppress(ValueError):
        if _LEAST_SECONDS <= (seconds := float(given)) <= threading.TIMEOUT_MAX:
            return seconds
    print(
        f"{_INTERVAL}={given:.40} is no number of seconds from {_LEAST_SECONDS:g} up: {SECONDS:g} are taken.",
        file=sys.stderr,
        flush=True,
    )
    return SECONDS


def _sample(run: TrackedRun, started: float, over: threading.Event, seconds: float) -> None:
    if over.wait(seconds):
        return
    try:
        monitors = _monitors()
        while True:
            run.note(_measured(monitors), int(time.time() - started))
            if over.wait(seconds):
                return
    # The work beside it does not depend on what a monitor raises.
    except Exception as error:
        print(f"System metrics end here: {first_line(error)[:200]}", file=sys.stderr, flush=True)


def _measured(monitors: list[BaseMetricsMonitor]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for monitor in monitors:
        monitor.collect_metrics()
        found |= {f"system/{name}": value for name, value in monitor.aggregate_metrics().items()}
        monitor.clear_metrics()
    return found


def _monitors() -> list[BaseMetricsMonitor]:
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    monitors = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
    # Without a GPU, or its library, it raises whatever that raises.
    with contextlib.suppress(Exception):
        monitors.append(GPUMonitor())
    return monitors
