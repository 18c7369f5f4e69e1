"""infra.pictures: what a person sees of a result in MLflow's pages, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.ui import runs_page
from components import tracking
from components.artifacts import digest
from components.registry import Registry
from flows.record import record_missing
from infra.pictures import LARGEST, keep, look, mlflow_pages
from tests.browser import open_browser
from tests.mlflow_server import MlflowServer
from tests.small_evaluated import write_evaluated, write_timings


@pytest.mark.slow
def test_runs_models_versions_and_a_description_are_seen_in_the_browser(here: Path) -> None:
    bundle = digest(write_evaluated(here) / "artifacts/topic/bundle")
    write_timings(here, bundle)
    for score in (0.75, 0.8125):
        with tracking.pipeline_run(f"shipped {score}", {}) as run:
            run.log_metrics({"topic/shipped/macro_f1": score}, 0)
    client = Registry().client
    client.create_registered_model("topic")
    registered = client.create_logged_model("1", "topic")
    client.create_model_version("topic", f"models:/{registered.model_id}", tags={"bundle": bundle, "rung": "int8"})
    record_missing(here, run.id)
    runs_page(client, {"topic": "macro_f1"})
    with MlflowServer(here / "server", here / "mlflow/mlflow.db") as server, open_browser() as browser:
        seen = look(browser, server.address, mlflow_pages("topic", "macro_f1"), here)
    assert set(seen) == {"runs", "compare", "run", "models", "version"}
    keep(seen["models"], here / "images" / "models.png")
    assert (here / "images" / "models.png").stat().st_size < LARGEST
