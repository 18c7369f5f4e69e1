"""A project of two quick stages, its result committed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_results import make_results
from tests.small_store import copy_project


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, root: Path, mlflow_store: Path) -> Path:
    return make_results(root, mlflow_store, tmp_path_factory.mktemp("results"))


@pytest.fixture
def project(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_project(results, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path
