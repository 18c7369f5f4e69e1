"""components.tracking.past_runs: all that MLflow keeps of a pipeline run."""

from __future__ import annotations

from pathlib import Path

import pytest

from components import tracking
from components.errors import ParameterError
from components.tracking.past_runs import past_run


def test_a_nested_run_leads_to_its_pipelines_lock_and_environment(here: Path) -> None:
    (here / "dvc.lock").write_text("stages: {}\n")
    with tracking.pipeline_run("a run", {}) as pipeline:
        tracking.tell_what_came_of_it(pipeline, [], here)
        with tracking.nested_run("release@topic", {}, pipeline.id) as nested:
            pass
    found = past_run(nested.id)
    assert (found.id, found.lock) == (pipeline.id, "stages: {}\n")
    assert found.environment["machine"]["cores"] >= 1
    assert "mlflow" in found.environment["packages"]


def test_an_unknown_run_is_refused_in_a_line(here: Path) -> None:
    with pytest.raises(ParameterError, match=r"^run f+: Run with id=f+ not found"):
        past_run("f" * 32)
