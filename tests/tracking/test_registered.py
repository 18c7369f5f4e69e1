"""Versions and runs read from the store itself."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from components.tracking import registered
from tests.flows.lineage.conftest import lineage_project, run_id

__all__ = ["lineage_project", "run_id"]


def test_the_store_is_read_as_mlflows_client_reads_it(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    versions, run = registered.registered_versions(), registered.run_record(run_id)
    assert run is not None
    above = registered.run_record(run.parent)
    monkeypatch.setattr(registered, "_read", lambda queries: None)
    assert registered.registered_versions() == versions
    assert registered.run_record(run_id) == run
    assert registered.run_record(run.parent) == above
    assert registered.run_record("0" * 32) is None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE alembic_version SET version_num = '451aebb31d03'",
        "UPDATE alembic_version SET version_num = 'of another MLflow'",
        "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE name = 'lianzi'",
        "DELETE FROM experiments WHERE name = 'lianzi'",
        "UPDATE experiments SET artifact_location = 'file:///before/mlflow/artifacts' WHERE name = 'lianzi'",
        "DROP TABLE model_version_tags",
    ],
)
def test_a_store_that_mlflow_would_refuse_or_change_is_left_to_it(here: Path, change: str) -> None:
    assert registered.stored_versions() == []
    with sqlite3.connect(here / "mlflow" / "mlflow.db") as store:
        store.execute(change)
    assert registered.stored_versions() is None


def test_so_is_one_that_is_no_file_of_ours(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "mlflow" / "mlflow.db").write_bytes(b"not a database at all" * 500)
    assert registered.stored_versions() is None
    shutil.rmtree(here / "mlflow")
    assert registered.stored_versions() is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert registered.stored_versions() is None
