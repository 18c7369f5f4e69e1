"""Tracking stores, and projects with theirs, copied to where a test works: making them takes seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

from components.tracking.moved import bring_along


def copy_store(store: Path, folder: Path) -> None:
    """Copy the folder mlflow/ of an empty project into `folder`; a copy would say in a line that it was moved."""
    shutil.copytree(store, folder / "mlflow")
    bring_along(folder / "mlflow" / "mlflow.db", store.parent, folder)


def copy_project(project: Path, folder: Path) -> Path:
    """Copy a project as it stands, checkpoints and runs included, into `folder`, and have it at home there."""
    shutil.copytree(project, folder, dirs_exist_ok=True)
    bring_along(folder / "mlflow" / "mlflow.db", project, folder)
    return folder
