"""A small project with a lineage, made once to be copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_lineage import make_lineage
from tests.small_store import copy_project


@pytest.fixture(scope="session")
def lineage_project(tmp_path_factory: pytest.TempPathFactory, mlflow_store: Path) -> tuple[Path, str]:
    """The project, and the id of the run that registered its version."""
    folder = tmp_path_factory.mktemp("lineage")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return folder, make_lineage(mlflow_store, folder)


@pytest.fixture
def run_id(lineage_project: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The run that registered the version of a copy of the project, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    copy_project(lineage_project[0], tmp_path)
    return lineage_project[1]
