"""Registered versions and their runs, read from the project's own SQLite store: importing MLflow takes seconds.

What is not exactly as expected (a server, another schema) is left to components.registry and MLflow's client.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from components.champions import BUNDLE
from components.errors import ServiceError, first_line
from components.tracking.revision import COMMIT
from components.tracking.store import (
    EXPERIMENT,
    PARENT,
    connect,
    former_folder,
    sqlite_path,
    store_exists,
    store_name,
    tracking_uri,
)

_VERSIONS = """
SELECT name, version, run_id, coalesce(nullif(storage_location, ''), source), creation_time FROM model_versions
WHERE current_stage IS NOT 'Deleted_Internal' ORDER BY name, version
"""
_TAGS = "SELECT name, version, key, value FROM model_version_tags"
_ALIASES = "SELECT name, version, alias FROM registered_model_aliases"
_RUN = "SELECT name, status FROM runs WHERE run_uuid = ? AND lifecycle_stage = 'active'"
_FAMILY = f"SELECT run_uuid FROM tags WHERE key = '{PARENT}' AND value = ?"
_HOME = f"SELECT lifecycle_stage, artifact_location FROM experiments WHERE name = '{EXPERIMENT}'"
_SCHEMA = "SELECT version_num FROM alembic_version"
_STEP = re.compile(r"""^(down_)?revision\b.*?["'](\w+)["']""", re.MULTILINE)
"""In a file that takes a database from one schema to another: the names of the two."""


@dataclass(frozen=True)
class RegisteredVersion:
    """A version; bundle: its folder where it lies on this machine; created: seconds since 1970."""

    task: str
    version: int
    run_id: str
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    bundle: Path | None
    created: float

    @property
    def name(self) -> str:
        return f"{self.task}@{self.version}"


@dataclass(frozen=True)
class RunRecord:
    """A run of MLflow; children: ids of the runs in it."""

    id: str
    name: str
    status: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    children: tuple[str, ...]

    @property
    def commit(self) -> str:
        return self.tags.get(COMMIT, "")

    @property
    def parent(self) -> str:
        return self.tags.get(PARENT, "")


def registered_versions() -> list[RegisteredVersion]:
    """Every version of every model; none where there is no store. Raises ServiceError where it does not answer."""
    if not store_exists():
        return []
    tables = _read([(_VERSIONS, ()), (_TAGS, ()), (_ALIASES, ())])
    return _by_client() if tables is None else _versions(*tables)


def stored_versions() -> list[RegisteredVersion] | None:
    """Every version, where MLflow need not be imported for it; None where it must be asked: about a server, or about a
    store that it would refuse or change (another schema, no experiment of ours, a moved project)."""
    tables = _read([(query, ()) for query in (_VERSIONS, _TAGS, _ALIASES, _HOME, _SCHEMA)])
    if tables is None:
        return None
    versions, tags, aliases, home, schema = tables
    at_home = [stage for stage, location in home if former_folder(location or "") is None]
    if at_home != ["active"] or len(schema) != 1 or not _is_newest(schema[0][0]):
        return None
    return _versions(versions, tags, aliases)


def run_record(run_id: str) -> RunRecord | None:
    """A run by its id; None where there is no such run. Raises ServiceError."""
    if not store_exists():
        return None
    of_run = "SELECT key, value FROM {} WHERE run_uuid = ?"
    queries = [(_RUN, (run_id,)), (of_run.format("tags"), (run_id,)), (of_run.format("params"), (run_id,))]
    tables = _read([*queries, (_FAMILY, (run_id,))])
    if tables is None:
        return _run_by_client(run_id)
    found, tags, params, children = tables
    if not found:
        return None
    return RunRecord(run_id, found[0][0], found[0][1], dict(tags), dict(params), tuple(one for (one,) in children))


def _read(queries: list[tuple[str, tuple[str, ...]]]) -> list[list[Any]] | None:
    """The rows of each query; None where the store is no database of ours."""
    database = sqlite_path(tracking_uri())
    if database is None or not database.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as store:
            return [store.execute(query, values).fetchall() for query, values in queries]
    except sqlite3.Error:
        return None


def _is_newest(schema: str) -> bool:
    """Whether the MLflow that is installed goes on from this schema of a database to no other one."""
    package = find_spec("mlflow")
    if package is None or package.origin is None:
        return False
    steps = Path(package.origin).parent.glob("store/db_migrations/versions/*.py")
    named = [line for step in steps for line in _STEP.findall(step.read_text(encoding="utf-8"))]
    return schema in {name for down, name in named if not down} - {name for down, name in named if down}


def _versions(rows: list[Any], tags: list[Any], aliases: list[Any]) -> list[RegisteredVersion]:
    return [
        RegisteredVersion(
            name,
            int(version),
            run_id or "",
            tuple(sorted(alias for one, number, alias in aliases if (one, number) == (name, version))),
            {key: value for one, number, key, value in tags if (one, number) == (name, version)},
            _folder(location),
            created / 1000,
        )
        for name, version, run_id, location, created in rows
    ]


def _by_client() -> list[RegisteredVersion]:
    from mlflow.exceptions import MlflowException

    client = connect()
    try:
        models, found = client.search_registered_models(), client.search_model_versions()
    except MlflowException as error:
        raise ServiceError(f"MLflow's registry at {store_name()}: {first_line(error)[:200]}") from None
    aliases = [(model.name, int(number), alias) for model in models for alias, number in model.aliases.items()]
    rows = [(one.name, int(one.version), one.run_id, one.source or "", one.creation_timestamp) for one in found]
    tags = [(one.name, int(one.version), key, value) for one in found for key, value in one.tags.items()]
    return _versions(sorted(rows, key=lambda row: row[:2]), tags, aliases)


def _run_by_client(run_id: str) -> RunRecord | None:
    from mlflow.exceptions import MlflowException

    client = connect()
    try:
        run = client.get_run(run_id)
        inside = client.search_runs([run.info.experiment_id], f"tags.`{PARENT}` = '{run_id}'")
    except MlflowException:
        return None
    children = tuple(one.info.run_id for one in inside)
    return RunRecord(run_id, run.info.run_name, run.info.status, dict(run.data.tags), dict(run.data.params), children)


def _folder(location: str) -> Path | None:
    """A registered bundle that lies on this machine."""
    address = urlsplit(location)
    if address.scheme not in ("", "file"):
        return None
    folder = Path(unquote(address.path), BUNDLE)
    return folder if folder.is_dir() else None
