"""The result to reproduce: an MLflow run, a registered version, a bundle, or a git revision."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components import tracking
from components.artifacts import MANIFEST, digest
from components.errors import ArtifactError, ParameterError
from components.tracking.past_runs import LOCK, PATCH, past_run
from flows.reproduction.git import git, git_or_none

_RUN_ID = re.compile("[0-9a-f]{32}")
_VERSION = re.compile(r"(?P<task>\w[\w.-]*)@(?P<version>champion|challenger|v?\d+)")
_KNOWN = (
    "name a git revision, an experiment of DVC, an MLflow run's id, TASK@champion, TASK@challenger, TASK@VERSION, "
    "or a bundle's folder"
)


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
    commit = commit or _experiment(root, named)
    if commit is None:
        raise ParameterError(f"{named!r:.100}: no result of this name", _KNOWN)
    commit = commit.strip()
    text = git_or_none(root, "show", f"{commit}:./{LOCK}")
    if text is None:
        raise ArtifactError(f"{named}: no {LOCK} in this commit, so it has no result", f"commit {LOCK} after a run")
    return Target(f"{named} ({commit[:8]})" if named != commit else commit[:8], commit, _stages(text))


def _experiment(root: Path, named: str) -> str | None:
    """The commit of an experiment of DVC, which keeps its name below refs/exps; the latest of several."""
    words = ("--sort=-committerdate", "--format=%(objectname) %(refname:lstrip=-1)", "refs/exps")
    found = (line.partition(" ") for line in git(root, "for-each-ref", *words).splitlines())
    return next((commit for commit, _, name in found if name == named), None)


def _of_version(root: Path, task: str, version: str) -> Target:
    from components.registry import CHALLENGER, CHAMPION, Registry

    if not tracking.store_exists():
        raise ArtifactError(f"{task}@{version}: MLflow's store has no versions yet", "`lianzi run` registers them")
    registry = Registry()
    if version in (CHAMPION, CHALLENGER):
        found = registry.version_at(task, version)
        if found is None:
            raise ArtifactError(f"{task}: no {version}", "`lianzi run` releases one; TASK@VERSION names a version")
        number = found.version
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
    run = past_run(run_id)
    if not run.commit or git_or_none(root, "cat-file", "-e", f"{run.commit}^{{commit}}") is None:
        known = f"its commit {run.commit[:8]} is not in this repository" if run.commit else "it has no commit"
        raise ArtifactError(f"{name}: {known}", "fetch the branch that has it")
    if run.lock is None:
        hint = "`lianzi run` keeps it; of a run by `dvc repro`, name the commit that holds its dvc.lock"
        raise ArtifactError(f"{name}: MLflow has no {LOCK} of its pipeline run", hint)
    if run.patch is None and run.dirty:
        raise ArtifactError(f"{name}: its work tree had changes, and MLflow has no {PATCH} of them", _KNOWN)
    return Target(name, run.commit, _stages(run.lock), run.patch or "", run.environment, run.id, version)


def _stages(text: str) -> dict[str, Any]:
    from ruamel.yaml import YAML

    found: dict[str, Any] = (YAML(typ="safe").load(text) or {}).get("stages", {})
    tasks = found.get("curate", {}).get("params", {}).get("params.yaml", {}).get("tasks")
    # DVC leaves the stages of a task that params.yaml no longer has in dvc.lock: they are no part of this result.
    return {name: entry for name, entry in found.items() if not tasks or name.partition("@")[2] in ("", *tasks)}


def project_prefix(root: Path) -> str:
    """The project's folder inside its git repository, "" where it is the repository's own."""
    return git(root, "rev-parse", "--show-prefix").strip()
