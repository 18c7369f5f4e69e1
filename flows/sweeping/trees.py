"""Work trees of a sweep: the project as it stood when the sweep began, with parameters of a trial."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from components.errors import ServiceError
from components.tracking.inputs import read_lock
from flows.inputs import note_inputs
from flows.reproduction.git import git, git_or_none
from flows.reproduction.target import project_prefix
from flows.reproduction.worktree import add_tree, bring_folders, dvc, fetch_data, remove
from flows.settings import set_values
from flows.sweeping.plan import Node, Plan

FOLDER = Path(".lianzi/sweeps")
REFERENCE = "refs/lianzi/sweeps"
_AUTHOR = ("-c", "user.name=lianzi", "-c", "user.email=lianzi@localhost")


def sweep_folder(root: Path, name: str) -> Path:
    return root / FOLDER / name


def base_commit(root: Path, name: str) -> tuple[str, bool]:
    """The commit that the trials of a sweep start from, and whether it is a new one: the work tree with its changes.

    A sweep that goes on keeps its commit, whatever has changed since: its trials stay comparable.
    """
    reference = f"{REFERENCE}/{name}"
    known = git_or_none(root, "rev-parse", "--verify", "--quiet", reference)
    if known:
        return known.strip(), False
    with tempfile.TemporaryDirectory() as apart:
        index = {"GIT_INDEX_FILE": str(Path(apart, "index"))}
        git(root, "read-tree", "HEAD", variables=index)
        git(root, "add", "--all", "--", ":/", variables=index)
        tree = git(root, "write-tree", variables=index).strip()
    commit = git(root, *_AUTHOR, "commit-tree", tree, "-p", "HEAD", "-m", f"sweep {name}").strip()
    git(root, "update-ref", reference, commit)
    return commit, True


def forget_base(root: Path, name: str) -> None:
    git_or_none(root, "update-ref", "-d", f"{REFERENCE}/{name}")


def add_base(root: Path, name: str, commit: str, plan: Plan) -> Path:
    """The tree in which the stages of `plan.once` run. Raises LianziError where the data cannot be had."""
    project = _add(root, sweep_folder(root, name) / "base", commit)
    fetch_data(root, project)
    bring_folders(root, project, _read(plan))
    _check_out(project, [node.name for node in plan.once if node.name in read_lock(project)])
    return project


def add_trial(root: Path, name: str, commit: str, plan: Plan, number: int, values: Mapping[str, Any]) -> Path:
    """The tree of a trial: the results of the base and other parameters."""
    base = tree_of(root, name, "base")
    project = _add(root, sweep_folder(root, name) / f"trial-{number}", commit)
    shutil.copy(base / ".dvc" / "config.local", project / ".dvc" / "config.local")
    for path in ("dvc.lock", *(path for node in plan.once for path in node.plain)):
        if (base / path).is_file():
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(base / path, project / path)
    bring_folders(base, project, _read(plan))
    _check_out(project, [*plan.tracked, *(node.name for node in plan.once)])
    set_values(project / "params.yaml", values, write=True)
    note_inputs(project)
    return project


def tree_of(root: Path, name: str, what: str) -> Path:
    """The project's folder in a tree."""
    return sweep_folder(root, name) / what / project_prefix(root)


def remove_tree(root: Path, name: str, what: str) -> None:
    remove(root, sweep_folder(root, name) / what)


def outputs_of(project: Path, nodes: Iterable[Node]) -> dict[str, str]:
    """Output -> DVC's hash of it, of the stages that a trial ran."""
    lock = read_lock(project)
    return {out["path"]: out["md5"] for node in nodes for out in lock.get(node.name, {}).get("outs", [])}


def _read(plan: Plan) -> set[str]:
    return {path for node in (*plan.once, *plan.each_time) for path in node.reads}


def _add(root: Path, tree: Path, commit: str) -> Path:
    add_tree(root, tree, commit)
    return tree / project_prefix(root)


def _check_out(project: Path, targets: list[str]) -> None:
    """What DVC's cache has of these; a stage whose outputs are not there runs."""
    if targets:
        # `dvc repro` computes what is missing, and says what is wrong with it.
        with suppress(ServiceError):
            dvc(project, "checkout", "--quiet", "--allow-missing", *targets)
