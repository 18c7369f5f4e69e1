"""The result to reproduce: an MLflow run, a registered version, a bundle, or a git revision."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import tracking
from components.artifacts import MANIFEST, digest
from components.errors import ArtifactError, ParameterError, first_line
from components.tracking.environment import ENVIRONMENT
from flows.reproduction.git import git, git_or_none

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

LOCK, PATCH = "dvc.lock", "git.diff"
_RUN_ID = re.compile("[0-9a-f]{32}")
_VERSION = re.compile(r"(?P<task>\w[\w.-]*)@(?P<version>champion|v?\d+)")
_KNOWN = "name a git revision, an MLflow run's id, TASK@champion, TASK@VERSION, or a bundle's folder"


@dataclass(frozen=True)
class Target:
    """A result and what it was made from.

    name: for messages; commit: in full; patch: the changes to the commit, "" where there were none; lock: stage -> its
    entry in the dvc.lock of the result; environment: of the run, {} where it is not known; run_id: the pipeline run in
    MLflow, "" for a revision; version: task and registered version.
    """

    name: str
    commit: str
    lock: dict[str, Any]
    patch: str = ""
    environment: dict[str, Any] = field(default_factory=dict)
    run_id: str = ""
    version: tuple[str, int] | None = None


def find_target(root: Path, named: str) -> Target:
    """Raises ParameterError where nothing has this name, ArtifactError where its record does not suffice."""
    if (root / named / MANIFEST).is_file():
        return _of_bundle(root, root / named)
    if found := _VERSION.fullmatch(named):
        return _of_version(root, found["task"], found["version"])
    if _RUN_ID.fullmatch(named) and tracking.store_exists():
        return _of_run(root, named, f"run {named[:8]}")
    return _of_revision(root, named)


def _of_revision(root: Path, named: str) -> Target:
    commit = git_or_none(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{named}^{{commit}}")
    if commit is None:
        raise ParameterError(f"{named!r:.100}: nothing of this name to reproduce", _KNOWN)
    commit = commit.strip()
    text = git_or_none(root, "show", f"{commit}:./{LOCK}")
    if text is None:
        raise ArtifactError(f"{named}: no {LOCK} in this commit, so it has no result", f"commit {LOCK} after a run")
    return Target(f"{named} ({commit[:8]})" if named != commit else commit[:8], commit, _stages(text))


def _of_version(root: Path, task: str, version: str) -> Target:
    from components.registry import Registry

    if not tracking.store_exists():
        raise ArtifactError(f"{task}@{version}: MLflow's store has no versions yet", "`lianzi run` registers them")
    registry = Registry()
    if version == "champion":
        champion = registry.champion(task)
        if champion is None:
            raise ArtifactError(f"{task}: no champion", "`lianzi run` releases one; TASK@VERSION names a version")
        number = champion.version
    else:
        number = int(version.removeprefix("v"))
    run_id = registry.run_of(task, number)
    if run_id is None:
        known = ", ".join(f"v{one.version}" for one in registry.versions(task)) or "none"
        raise ParameterError(f"{task} v{number}: no such version", f"registered: {known}")
    return _of_run(root, run_id, f"{task} v{number}", (task, number))


def _of_bundle(root: Path, folder: Path) -> Target:
    from components.registry import Registry
    from components.runtime.manifest import read_bundle

    task = str(read_bundle(folder).get("task", ""))
    number = Registry().version_of(task, digest(folder)) if task and tracking.store_exists() else None
    if number is None:
        hint = "`lianzi run` registers the bundles it makes; a git revision reproduces the bundle of its dvc.lock"
        raise ArtifactError(f"{folder}: this bundle was not registered here, so its run is not known", hint)
    return _of_version(root, task, str(number))


def _of_run(root: Path, run_id: str, name: str, version: tuple[str, int] | None = None) -> Target:
    """The pipeline run of a run: itself, or its parent."""
    client = tracking.connect()
    run = _run(client, run_id)
    parent = run.data.tags.get("mlflow.parentRunId")
    if parent:
        run = _run(client, parent)
    commit = run.data.tags.get("mlflow.source.git.commit")
    if not commit or git_or_none(root, "cat-file", "-e", f"{commit}^{{commit}}") is None:
        known = f"its commit {commit[:8]} is not in this repository" if commit else "it has no commit"
        raise ArtifactError(f"{name}: {known}", "fetch the branch that has it")
    lock = _file(client, run.info.run_id, LOCK)
    if lock is None:
        hint = "`lianzi run` keeps it; of a run by `dvc repro`, name the commit that holds its dvc.lock"
        raise ArtifactError(f"{name}: MLflow has no {LOCK} of its pipeline run", hint)
    patch = _file(client, run.info.run_id, PATCH)
    if patch is None and run.data.tags.get("git.dirty") == "true":
        raise ArtifactError(f"{name}: its work tree had changes, and MLflow has no {PATCH} of them", _KNOWN)
    known = json.loads(_file(client, run.info.run_id, ENVIRONMENT) or "{}")
    return Target(name, commit, _stages(lock), patch or "", known, run.info.run_id, version)


def _run(client: MlflowClient, run_id: str) -> Run:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException as error:
        raise ParameterError(f"run {run_id}: {first_line(error)[:200]}", _KNOWN) from None


def _file(client: MlflowClient, run_id: str, name: str) -> str | None:
    """A text among a run's artifacts, None where there is none."""
    if not any(one.path == name for one in client.list_artifacts(run_id)):
        return None
    with tempfile.TemporaryDirectory() as folder:
        return Path(client.download_artifacts(run_id, name, folder)).read_text(encoding="utf-8")


def _stages(text: str) -> dict[str, Any]:
    from ruamel.yaml import YAML

    found: dict[str, Any] = (YAML(typ="safe").load(text) or {}).get("stages", {})
    return found


def project_prefix(root: Path) -> str:
    """The project's folder inside its git repository, "" where it is the repository's own."""
    return git(root, "rev-parse", "--show-prefix").strip()
