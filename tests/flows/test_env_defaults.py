"""flows.env_defaults: telemetry off, this Python first."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR

from flows import env_defaults


def test_telemetry_is_off_and_what_a_person_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "kept")
    monkeypatch.delenv("DVC_NO_ANALYTICS", raising=False)
    env_defaults.prepare()
    assert os.environ["DVC_NO_ANALYTICS"] == "1"
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "kept"


def test_the_python_that_runs_is_the_one_stages_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    env_defaults.prepare()
    env_defaults.prepare()
    assert os.environ["PATH"] == f"{Path(sys.executable).parent}{os.pathsep}/usr/bin"


def test_mlflow_draws_no_bar_for_each_file_that_a_command_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", raising=False)
    env_defaults.prepare()
    assert MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.get() is False
