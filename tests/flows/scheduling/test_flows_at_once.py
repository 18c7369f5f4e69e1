"""Eight projects of one worker whose runs begin together: one Prefect server and one MLflow store, both of SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from components import tracking
from flows import env_defaults
from tests.scheduled_lab import Lab, make_project
from tests.service_logs import assert_healthy

FLOWS = 8


@pytest.mark.slow
@pytest.mark.minutes
def test_eight_flows_at_once_complete_and_no_database_is_locked(tmp_path: Path, mlflow_store: Path) -> None:
    env_defaults.prepare()
    projects = [make_project(tmp_path / f"project{number}", mlflow_store) for number in range(FLOWS)]
    shared = f"sqlite:///{projects[0] / 'mlflow' / 'mlflow.db'}"
    with Lab(tmp_path / "lab") as lab:
        lab.settings["MLFLOW_TRACKING_URI"] = shared
        for project in projects:
            lab.call(project, "schedule", "--cron", "0 0 1 1 *")
        lab.start("worker")
        runs = [lab.begin(lab.deployment(project)["id"]) for project in projects]
        assert {lab.ended(run, 900)["name"] for run in runs} == {"Completed"}
        assert all(lab.states(run).count("Running") == 1 for run in runs)
        for name in ("server", "worker"):
            assert_healthy(lab.log(name))
    client = MlflowClient(shared)
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    recorded = client.search_runs([experiment.experiment_id], "attributes.status = 'FINISHED'")
    assert sorted(run.data.tags["prefect.flow_run_id"] for run in recorded) == sorted(runs)
