"""components.tracking.system_metrics: real monitors beside a stage."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from components import tracking


@pytest.fixture(autouse=True)
def sampled_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true")
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")


def stage_metrics() -> dict[str, float]:
    client = tracking.connect()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    return dict(run.data.metrics)


def test_processor_and_memory_stand_in_the_run_of_a_stage(here: Path) -> None:
    with tracking.stage_run("curate", None, {}, {}) as run:
        deadline = time.monotonic() + 20
        while not run._buffer and time.monotonic() < deadline:
            time.sleep(0.02)
    found = stage_metrics()
    assert found["system/system_memory_usage_megabytes"] > 0
    assert "system/cpu_utilization_percentage" in found
    assert run.steps == []


def test_a_variable_of_mlflow_turns_them_off(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "false")
    with tracking.stage_run("curate", None, {}, {}):
        time.sleep(0.1)
    assert stage_metrics() == {}
