"""Whether there is data that no run has seen: data/ was changed, or data.dvc upstream names another version."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from components.artifacts import write_json
from components.errors import ServiceError
from flows.graph import DATA, read_graph
from flows.reproduction.git import git, git_or_none
from flows.reproduction.worktree import dvc

NOTE = Path(".lianzi/new-data.json")
"""The data that the last run was started for, and that run. Noted before its work: a version that a stage refuses is
not tried again every few minutes."""


def new_data(root: Path, run_id: str) -> str:
    """Why a run is due, in words; "" where the data is what the last run was made from.

    It reads names, sizes and times, and no file's content where DVC knows them. The run of `run_id` itself, started
    once more, is due as it was.
    """
    told = bring_upstream(root)
    known = _noted(root)
    print_of_data = fingerprint(root)
    if known.get("data") == print_of_data:
        return "its data is still new: it was interrupted" if known.get("run") == run_id else ""
    stale = any(
        not stage.fresh and (stage.name == f"{DATA}.dvc" or any(DATA in change.split() for change in stage.changes))
        for stage in read_graph(root)
    )
    if not stale:
        note_data(root, "")
        return ""
    note_data(root, run_id)
    return told or f"{DATA}/ has changed"


def note_data(root: Path, run_id: str) -> None:
    """Note today's data as that of a run."""
    write_json(root / NOTE, {"data": fingerprint(root), "run": run_id})


def fingerprint(root: Path) -> str:
    """A digest of the names, sizes and times of data/'s files. data.dvc is left out: a run brings it up to date."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(root / DATA):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            stat = path.stat()
            digest.update(f"{path.relative_to(root)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def bring_upstream(root: Path) -> str:
    """Take data.dvc of the branch that this one follows, and its data from DVC's remote. Returns what was new.

    What was changed here stays: data.dvc is taken only where upstream once had it as it is here, and DVC refuses to
    overwrite data that no cache has. Raises ServiceError where git or DVC's remote cannot be reached.
    """
    tracked = f"{DATA}.dvc"
    if not (root / tracked).is_file() or _blob(root, "@{upstream}") is None:
        return ""
    git(root, "fetch", "--quiet")
    theirs, here = _blob(root, "@{upstream}"), git(root, "hash-object", tracked).strip()
    once_theirs = git(root, "rev-list", "--objects", "@{upstream}", "--", tracked)
    if theirs in (None, here) or (here != _shared(root) and here not in once_theirs):
        return ""
    before = (root / tracked).read_bytes()
    git(root, "checkout", "--quiet", "@{upstream}", "--", tracked)
    try:
        dvc(root, "pull", "--quiet", tracked)
    except ServiceError:
        (root / tracked).write_bytes(before)  # or the next look would take it for done
        raise
    return f"{tracked} upstream names another version of {DATA}/"


def _blob(root: Path, commit: str) -> str | None:
    found = git_or_none(root, "rev-parse", "--verify", "--quiet", f"{commit}:./{DATA}.dvc")
    return found.strip() if found else None


def _shared(root: Path) -> str | None:
    """data.dvc where the branch left its upstream; a later one that was committed here is newer than theirs."""
    base = git_or_none(root, "merge-base", "HEAD", "@{upstream}")
    return _blob(root, base.strip()) if base else None


def _noted(root: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads((root / NOTE).read_text(encoding="utf-8"))
        return found
    except (FileNotFoundError, ValueError):
        return {}
