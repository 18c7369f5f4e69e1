"""MLflow's server with the page set up for this project: `mlflow server --app-name lianzi`.

The page sends nothing: its telemetry is off, and so is the banner about it. It opens on runs and models, and its
assistant stays closed; by default MLflow 3.17 opens on agents and traces, with the assistant in front.
"""

from __future__ import annotations

from pathlib import Path

from flask import Response
from mlflow.server import app as pages
from mlflow.server.fastapi_app import app

__all__ = ["app"]

# The settings that the page keeps in the browser, under the names it gives them. The kind of work that a person chose
# stays.
SETTINGS = """<script>
localStorage.setItem("mlflow.settings.telemetry.enabled_v1", "false");
localStorage.setItem("mlflow.telemetry.info.alert.dismissed_v1", "true");
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
localStorage.getItem("mlflow.workflowType_v1") ??
  localStorage.setItem("mlflow.workflowType_v1", '"machine_learning"');
</script>"""


def first_page() -> Response:
    """MLflow's page, with these settings made before its own scripts run."""
    text = Path(pages.static_folder or "", "index.html").read_text(encoding="utf-8")
    return Response(text.replace("<head>", f"<head>{SETTINGS}", 1), mimetype="text/html")


pages.view_functions["serve"] = first_page
