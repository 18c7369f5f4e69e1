"""What of MLflow's store may be removed: the runs that were deleted there, unless a registered version is of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from components.errors import ParameterError, ServiceError, first_line
from components.tracking.past_runs import past_run
from components.tracking.store import connect, store_exists, tracking_uri

MOST_RUNS = 1000


def registered_locks() -> list[str | None]:
    """The dvc.lock of the run of every registered version; None where MLflow does not have it.

    Raises ServiceError where MLflow does not answer.
    """
    locks: list[str | None] = []
    for run_id in sorted(_registered_runs()):
        try:
            locks.append(past_run(run_id).lock)
        except ParameterError:
            locks.append(None)
    return locks


def deleted_runs() -> dict[str, Path | None]:
    """Deleted run -> its folder of artifacts on this machine."""
    from mlflow.entities import ViewType

    if not store_exists():
        return {}
    client = connect()
    experiments = client.search_experiments(view_type=ViewType.ALL)
    places = [one.experiment_id for one in experiments]
    found = client.search_runs(places, run_view_type=ViewType.DELETED_ONLY, max_results=MOST_RUNS)
    kept = _registered_runs()
    return {run.info.run_id: _folder(run.info.artifact_uri) for run in found if run.info.run_id not in kept}


def remove_deleted(runs: Sequence[str]) -> None:
    """Remove deleted runs for good, their artifacts included. Raises ServiceError."""
    uri = tracking_uri()
    words = ["gc", "--backend-store-uri", uri, "--run-ids", ",".join(runs)]
    done = subprocess.run(
        [sys.executable, "-m", "mlflow", *words],
        env=os.environ | {"MLFLOW_TRACKING_URI": uri},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        told = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise ServiceError(f"`mlflow gc` failed: {first_line(' '.join(told))[:300]}")


def _registered_runs() -> set[str]:
    """The runs of registered versions, and the pipeline runs that they are in."""
    if not store_exists():
        return set()
    client = connect()
    own = {version.run_id for version in client.search_model_versions() if version.run_id}
    parents = set()
    for run_id in own:
        try:
            parents.add(past_run(run_id).id)
        except ParameterError:
            continue  # its run is gone
    return own | parents


def _folder(uri: str | None) -> Path | None:
    parts = urlsplit(uri or "")
    return Path(unquote(parts.path)) if parts.path and parts.scheme in ("", "file") else None
