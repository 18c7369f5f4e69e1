"""The MLflow tracking store: its address, a client, and the messages where it is unreachable."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from components.errors import ServiceError, first_line
from components.tracking.moved import bring_along, moved_from

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "lianzi"
PARENT = "mlflow.parentRunId"
"""The tag of a nested run with the id of the run that it is in."""

_VARIABLE = "MLFLOW_TRACKING_URI"
_EXPERIMENTS = (".dvc", "tmp", "exps")
_FILE_URI = "sqlite+pysqlite:///file:"
_OWN_STORE = f"unset {_VARIABLE} to use the project's own store"


def project_root() -> Path:
    """The project's folder: the working directory, or for an experiment that DVC runs in a copy, the original.

    `dvc exp run --queue` and `--temp` work below .dvc/tmp/exps, and delete that folder afterwards.
    """
    here = Path.cwd()
    for depth in range(len(here.parts) - len(_EXPERIMENTS)):
        if here.parts[depth : depth + len(_EXPERIMENTS)] == _EXPERIMENTS:
            return Path(*here.parts[:depth])
    return here


def tracking_uri() -> str:
    """MLFLOW_TRACKING_URI, or the project's own SQLite store."""
    given = os.environ.get(_VARIABLE)
    if given is None or given == "":
        return sqlite_uri(project_root() / "mlflow" / "mlflow.db")
    path = sqlite_path(given)
    # A relative path is relative to the project's folder, whatever the working directory.
    return given if path is None or path.is_absolute() else sqlite_uri(project_root() / path)


def sqlite_uri(path: Path) -> str:
    """The address of an SQLite database.

    `?` would end the path, so such paths are written as SQLite's file URIs, with the driver: MLflow creates folders for
    the path after a bare `sqlite:///`.
    """
    if re.search(r"[%?#]", str(path)):
        return f"{_FILE_URI}{quote(str(path))}?uri=true"
    return f"sqlite:///{path}"


def sqlite_path(uri: str) -> Path | None:
    """The database file of an address; None for a server, or for a database in memory."""
    if uri.startswith(_FILE_URI):
        return Path(unquote(uri.removeprefix(_FILE_URI).partition("?")[0]))
    if not uri.startswith("sqlite:///"):
        return None
    path = uri.removeprefix("sqlite:///").partition("?")[0]
    return Path(path) if path and path != ":memory:" else None


def store_exists() -> bool:
    """Whether the tracking store exists; a server is assumed to."""
    path = sqlite_path(tracking_uri())
    return path is None or path.is_file()


def store_name() -> str:
    """The address of the store without a password, for messages and files."""
    return without_password(tracking_uri())


def without_password(uri: str) -> str:
    """An address without secrets, for messages."""
    return re.sub(r"://[^@/\s]*@", "://***@", uri)


def connect() -> MlflowClient:
    """A client of the tracking store, which is created on first use. Raises ServiceError."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    import logging

    logging.getLogger("alembic").setLevel(logging.WARNING)
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    # Of a server that is away, what is said once says enough.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    uri = tracking_uri()
    try:
        _try_database(sqlite_path(uri))
        client = mlflow.MlflowClient(uri)
        location = _experiment(client, uri)
        _follow_the_project(location)
    except ServiceError:
        raise
    # MLflow passes on every error of the store's driver.
    except Exception as error:
        raise ServiceError(*_explained(uri, error)) from None
    return client


def _try_database(path: Path | None) -> None:
    """Open the database, and create its folder where it is a file. MLflow would retry ten times, for a minute."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as store:
            store.execute("PRAGMA schema_version")


def _experiment(client: MlflowClient, uri: str) -> str:
    """The artifact location of the experiment, which is created where it does not exist."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        database = sqlite_path(uri)
        # The files of a project's own store are beside it; a server chooses the location.
        location = (database.parent / "artifacts").absolute().as_uri() if database else None
        try:
            client.create_experiment(EXPERIMENT, artifact_location=location)
        except MlflowException:
            # Another stage has created it in the meantime.
            if client.get_experiment_by_name(EXPERIMENT) is None:
                raise
        return location or ""
    if found.lifecycle_stage == "deleted":
        raise ServiceError(
            f"MLflow at {without_password(uri)}: the experiment '{EXPERIMENT}' was deleted",
            f"`mlflow experiments restore --experiment-id {found.experiment_id}` brings it back",
        )
    return str(found.artifact_location)


def former_folder(location: str) -> Path | None:
    """The folder where the project was when its own store noted this location; None where it is there still, or where
    the store is another one."""
    database, artifacts = sqlite_path(tracking_uri()), project_root() / "mlflow" / "artifacts"
    if database is None or database != artifacts.with_name("mlflow.db"):
        return None
    former = moved_from(location, artifacts)
    return former.parent.parent if former is not None else None


def _follow_the_project(location: str) -> None:
    """Update the paths in the project's own store where the project was moved or copied."""
    database, former = sqlite_path(tracking_uri()), former_folder(location)
    if database is not None and former is not None:
        bring_along(database, former, project_root())
        print(f"The project was at {former} before: MLflow now uses the files here.", file=sys.stderr)


def _explained(uri: str, error: Exception) -> tuple[str, str]:
    """The error for an unreachable store, and the remedy."""
    where, said = without_password(uri), without_password(first_line(error))
    path = sqlite_path(uri)
    if isinstance(error, ModuleNotFoundError):
        return f"MLflow at {where}: its driver is not installed: {said}", f"install it, or {_OWN_STORE}"
    if "filesystem tracking backend" in said:
        return (
            f"{_VARIABLE}={where}: MLflow keeps no runs in plain folders any more",
            f"`mlflow migrate-filestore` takes them into a database; or {_OWN_STORE}",
        )
    if "unsupported URI" in said or "Invalid database" in said:
        return f"{_VARIABLE}={where}: not the address of a tracking store", f"http://HOST:PORT is one; or {_OWN_STORE}"
    if "out-of-date database schema" in str(error):
        return (
            f"MLflow at {where}: the database was made by another version of MLflow",
            f"back it up, then `mlflow db upgrade '{where}'`",
        )
    if path is not None:
        reason = "not an SQLite database, or a damaged one" if _damaged(error) else said[:200]
        return f"MLflow's store {path}: {reason}", "put a backup in its place, or move it away: a new one is made"
    return f"MLflow at {where} does not answer: {said[:200]}", f"start it, or {_OWN_STORE}"


def _damaged(error: Any) -> bool:
    return any(words in str(error) for words in ("file is not a database", "malformed", "encrypted"))
