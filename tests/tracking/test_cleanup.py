"""components.tracking.cleanup against a real SQLite store."""

from __future__ import annotations

from pathlib import Path

import pytest

from components import tracking
from components.tracking.cleanup import deleted_runs, registered_locks, remove_deleted


def pipeline(name: str) -> str:
    """A run that was deleted."""
    with tracking.pipeline_run(name, {}) as run:
        run.log_text("dvc.lock", name)
    tracking.connect().delete_run(run.id)
    return run.id


def test_deleted_runs_go_unless_a_registered_version_is_of_them(here: Path) -> None:
    client = tracking.connect()
    released, other = pipeline("released"), pipeline("other")
    client.create_registered_model("topic")
    client.create_model_version("topic", "nowhere", run_id=released)
    assert registered_locks() == ["released"]
    assert list(deleted_runs()) == [other]
    folder = deleted_runs()[other]
    assert folder is not None
    assert (folder / "dvc.lock").is_file()
    remove_deleted([other])
    assert not folder.exists()
    assert client.get_run(released).info.lifecycle_stage == "deleted"
    with pytest.raises(Exception, match="not found"):
        client.get_run(other)
