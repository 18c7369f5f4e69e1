"""Versions and runs read from the store itself."""

from __future__ import annotations

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
