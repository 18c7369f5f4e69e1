"""components.tracking.system_metrics: real monitors beside a stage."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from components import tracking
from components.tracking import system_metrics


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


@pytest.mark.parametrize("given", ["0", "abc", "-1", "nan", "inf"])
def test_an_interval_that_cannot_be_is_told_in_a_line(
    given: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", given)
    assert system_metrics._seconds() == 10
    (line,) = capsys.readouterr().err.splitlines()
    assert f"={given} is no number of seconds from 0.01 up" in line


def test_a_monitor_that_fails_is_told_in_a_line_and_the_stage_goes_on(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> list[object]:
        raise OSError("no such sensor")

    monkeypatch.setattr(system_metrics, "_monitors", broken)
    with tracking.stage_run("curate", None, {}, {}):
        time.sleep(0.3)
    assert capsys.readouterr().err == "System metrics end here: no such sensor\n"
