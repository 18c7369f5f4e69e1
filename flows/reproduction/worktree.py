"""A clean work tree of the project as it was: the commit, the changes to it, and its data."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from components.errors import ArtifactError, DataError, ServiceError, first_line
from components.orphans import DRIVER_VARIABLE
from components.tracking import PARENT_VARIABLE
from components.tracking.inputs import given, read_yaml
from flows.graph import DATA
from flows.reproduction.git import git, git_or_none
from flows.reproduction.target import Target, project_prefix

FOLDER = Path(".lianzi/reproductions")
REQUIREMENTS = "requirements.lock"


@contextmanager
def work_tree(root: Path, target: Target) -> Iterator[Path]:
    """The project's folder in a new work tree below FOLDER. It stays there unless `remove` takes it away.

    Raises ServiceError where git or DVC fails, ArtifactError where the recorded changes do not apply, DataError where
    the data is neither in DVC's cache nor in its remote.
    """
    tree = tree_of(root, target)
    add_tree(root, tree, target.commit)
    if target.patch and git_or_none(tree, "apply", "--whitespace=nowarn", "-", given=target.patch) is None:
        raise ArtifactError(
            f"{target.name}: the changes that MLflow kept do not apply to {target.commit[:8]}",
            "the diff was cut, or it holds a binary file",
        )
    project = tree / project_prefix(root)
    if target.run_id:
        _note_data(project, target)
    fetch_data(root, project)
    bring_folders(root, project, {dep["path"] for deps in given(target.lock).values() for dep in deps})
    yield project


def add_tree(root: Path, tree: Path, commit: str) -> None:
    """A clean work tree of a commit in the folder `tree`; one that is there gives way."""
    remove(root, tree)
    tree.parent.mkdir(parents=True, exist_ok=True)
    git(root, "worktree", "add", "--quiet", "--detach", "--force", str(tree), commit)


def tree_of(root: Path, target: Target) -> Path:
    """The work tree of a target: of a project inside a larger repository, the tree of all of it."""
    return root / FOLDER / target.commit[:12]


def remove(root: Path, tree: Path) -> None:
    """Take a work tree away, and git's note of it."""
    if tree.exists():
        shutil.rmtree(tree)
    git(root, "worktree", "prune")


def bring_folders(root: Path, project: Path, read: Iterable[str]) -> None:
    """Of what stages read the folders that no commit has, such as that of a checkpoint (`pretrain.init_from`)."""
    for path in sorted(read):
        if (root / path).is_dir() and not (project / path).exists():
            shutil.copytree(root / path, project / path, copy_function=_linked)


def _linked(source: str, target: str) -> None:
    """A checkpoint is large, and nothing writes into it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _note_data(project: Path, target: Target) -> None:
    """Name the data of a run in data.dvc: where data/ had no version, the run gave it one, which no commit has."""
    tracked = project / f"{DATA}.dvc"
    read = (dep for entry in target.lock.values() for dep in entry.get("deps", []) if dep["path"] == DATA)
    recorded = next(read, None)
    if recorded is not None and read_yaml(tracked).get("outs") != [recorded]:
        tracked.write_text(json.dumps({"outs": [recorded]}), encoding="utf-8")


def fetch_data(root: Path, project: Path) -> None:
    """Data of the commit, through DVC's cache of `root`."""
    if not (project / f"{DATA}.dvc").is_file():
        raise DataError(f"{DATA}.dvc: not in this commit, so its data is not known", f"commit {DATA}.dvc with a run")
    local = root / ".dvc" / "config.local"
    if local.is_file():  # a remote's own settings
        shutil.copy(local, project / ".dvc" / "config.local")
    cache = dvc(root, "cache", "dir").strip()
    dvc(project, "config", "--local", "cache.dir", str((root / cache).resolve()))
    try:
        dvc(project, "pull", "--quiet", f"{DATA}.dvc")
    except ServiceError as error:
        raise DataError(
            f"{DATA}/ of this commit is neither in DVC's cache nor in its remote: {first_line(error)[:200]}",
            "`dvc push` where it was made",
        ) from None


def stage_environment(project: Path, python: Path) -> Mapping[str, str]:
    """The environment of its stages: this Python, a cache and an MLflow store of their own."""
    kept = {name: value for name, value in os.environ.items() if name not in (PARENT_VARIABLE, "DVC_EXP_NAME")}
    return kept | {
        "PATH": os.pathsep.join([str(python.parent), kept.get("PATH", "")]),
        "LIANZI_CACHE": str(project / ".cache"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{project / 'mlflow' / 'mlflow.db'}",
        DRIVER_VARIABLE: str(os.getpid()),
    }


def build_environment(project: Path) -> Path:
    """Install the packages that the commit pins into a .venv of the work tree. Returns its Python.

    Raises ArtifactError where the commit pins none, ServiceError where they cannot be installed.
    """
    lock = project / REQUIREMENTS
    if not lock.is_file():
        raise ArtifactError(f"{REQUIREMENTS}: not in this commit, so its environment cannot be built")
    python = project / ".venv" / "bin" / "python"
    for words in (
        [sys.executable, "-m", "venv", str(project / ".venv")],
        [str(python), "-m", "pip", "install", "--quiet", "-r", str(lock)],
    ):
        done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise ServiceError(f"{REQUIREMENTS} cannot be installed: {' '.join(last)[:300]}")
    return python


def dvc(folder: Path, *words: str) -> str:
    """The output of DVC. Raises ServiceError with its first line where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ServiceError(f"`dvc {words[0]}` failed: {first_line(done.stderr or done.stdout)[:300]}")
    return done.stdout
