"""Pipeline runs of the past: the commit, the changes to it, dvc.lock and the environment that MLflow keeps of each."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import ParameterError, first_line
from components.tracking.environment import ENVIRONMENT
from components.tracking.revision import COMMIT
from components.tracking.store import PARENT, connect

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

LOCK, PATCH = "dvc.lock", "git.diff"
REPRODUCED = "lianzi.reproduced"
"""The tag of a run, and of a version, that `lianzi reproduce` computed anew: what came of it, when and where."""


@dataclass(frozen=True)
class PastRun:
    """A pipeline run. commit: "" where it is not known; dirty: whether the work tree differed from it; lock, patch: the
    texts, None where MLflow has none; environment: {} where it is not known."""

    id: str
    commit: str
    dirty: bool
    lock: str | None
    patch: str | None
    environment: dict[str, Any]


def past_run(run_id: str) -> PastRun:
    """The pipeline run that a run belongs to, or is. Raises ParameterError where there is no such run, ServiceError."""
    client = connect()
    run = _run(client, run_id)
    if parent := run.data.tags.get(PARENT):
        run = _run(client, parent)
    found = run.info.run_id
    return PastRun(
        found,
        run.data.tags.get(COMMIT, ""),
        run.data.tags.get("git.dirty") == "true",
        _text(client, found, LOCK),
        _text(client, found, PATCH),
        json.loads(_text(client, found, ENVIRONMENT) or "{}"),
    )


def run_or_none(client: MlflowClient, run_id: str) -> Run | None:
    """A run, a deleted one too; None where the store says that there is none, and for no other error of it."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def active_run(client: MlflowClient, run_id: str) -> Run | None:
    """None where the run was deleted: MLflow lets nothing be written to it."""
    run = run_or_none(client, run_id)
    return run if run is not None and run.info.lifecycle_stage == "active" else None


def set_tags(client: MlflowClient, run_id: str, tags: Mapping[str, str]) -> None:
    """Set several tags at once."""
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])


def _run(client: MlflowClient, run_id: str) -> Run:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException as error:
        raise ParameterError(
            f"run {run_id}: {first_line(error)[:200]}", "`lianzi ui` shows the runs there are"
        ) from None


def _text(client: MlflowClient, run_id: str, name: str) -> str | None:
    """A text among a run's artifacts, None where there is none."""
    if not any(one.path == name for one in client.list_artifacts(run_id)):
        return None
    with tempfile.TemporaryDirectory() as folder:
        return Path(client.download_artifacts(run_id, name, folder)).read_text(encoding="utf-8")
