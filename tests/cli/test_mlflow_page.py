"""cli.mlflow_page: what a browser is told before MLflow's own scripts run."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

PROGRAM = """
from fastapi.testclient import TestClient
from cli.mlflow_page import app
with TestClient(app, base_url="http://127.0.0.1:5000") as client:
    print(client.get("/").text)
    print(client.get("/health").text)
"""


def test_the_page_is_mlflows_with_telemetry_off_and_open_on_runs(here: Path) -> None:
    """In a process of its own: MLflow's server keeps its settings in the environment."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, cwd=here)
    assert done.returncode == 0, done.stderr
    page, _, health = done.stdout.strip().rpartition("\n")
    assert health == "OK"
    assert page.index("mlflow.settings.telemetry.enabled_v1") < page.index("static-files/static/js/main.")
    assert '"machine_learning"' in page


def test_the_names_of_these_settings_are_those_of_the_installed_mlflow() -> None:
    """They are no interface of MLflow's: an upgrade that renames them is to be noticed here."""
    import mlflow

    scripts = Path(mlflow.__file__).parent.glob("server/js/build/static/js/*.js")
    text = "".join(path.read_text(encoding="utf-8") for path in scripts)
    names = ("settings.telemetry.enabled", "telemetry.info.alert.dismissed", "assistant.fab.autoOpenedOnFirstLoad")
    for name in (*names, "workflowType", "sharedViewState."):
        assert f'"mlflow.{name}"' in text, name


def test_it_is_known_to_mlflow_by_its_name() -> None:
    assert "cli.mlflow_page:app" in {app.value for app in entry_points(group="mlflow.app")}
