"""Whether there is data that no run has seen: data/ was changed, or data.dvc upstream names another version."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from components.errors import ServiceError, first_line
from components.replacing import replace_json
from flows.graph import DATA, read_graph
from flows.reproduction.git import git, git_or_none
from flows.reproduction.worktree import dvc

NOTE = Path(".lianzi/new-data.json")
"""The data that the last run was started for, and that run. Noted before its work: a version that a stage refuses is
not tried again every few minutes."""
SETTLED_SECONDS = 10
"""Data that changed a shorter time ago may be half copied."""


def new_data(root: Path, run_id: str, say: Callable[[str], None]) -> str:
    """Why a run is due, in words; "" where the data is what the last run was made from.

    It reads names, sizes and times, and no file's content where DVC knows them. The run of `run_id` itself, started
    once more, is due as it was. `say` is told what keeps new data from being taken now.
    """
    told = bring_upstream(root, say)
    known = _noted(root)
    print_of_data = fingerprint(root)
    if known.get("data") == print_of_data:
        return "its data is still new: it was interrupted" if known.get("run") == run_id else ""
    if not data_is_stale(root):
        replace_json(root / NOTE, {"data": print_of_data, "run": ""})
        return ""
    if not told and known.get("seen") != print_of_data and changed_seconds_ago(root) < SETTLED_SECONDS:
        # A clock that is ahead would make it young for ever: the next look takes it where it is as it was.
        replace_json(root / NOTE, known | {"seen": print_of_data})
        say(f"{DATA}/ changed less than {SETTLED_SECONDS} s ago and may be half copied: the next look takes it")
        return ""
    replace_json(root / NOTE, {"data": print_of_data, "run": run_id})
    return told or f"{DATA}/ has changed"


def data_is_stale(root: Path) -> bool:
    """Whether a stage is stale because data/ is not what it was made from."""
    return any(
        not stage.fresh and (stage.name == f"{DATA}.dvc" or any(DATA in change.split() for change in stage.changes))
        for stage in read_graph(root)
    )


def fingerprint(root: Path) -> str:
    """A digest of the names, sizes and times of data/'s files. data.dvc is left out: a run brings it up to date."""
    digest = hashlib.sha256()
    for path, stat in _files(root):
        told = "missing" if stat is None else f"{stat.st_size}\0{stat.st_mtime_ns}"
        digest.update(f"{path.relative_to(root)}\0{told}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def changed_seconds_ago(root: Path) -> float:
    """The age of the last change below data/ by the inodes' times: a copy may keep the times of its files."""
    return time.time() - max((stat.st_ctime for _, stat in _files(root) if stat is not None), default=0.0)


def _files(root: Path) -> Iterator[tuple[Path, os.stat_result | None]]:
    """The files below data/, in order; None for a link that leads nowhere, or a file that vanished meanwhile."""
    for folder, folders, files in os.walk(root / DATA):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            try:
                yield path, path.stat()
            except OSError:
                yield path, None


def bring_upstream(root: Path, say: Callable[[str], None]) -> str:
    """Take data.dvc of the branch that this one follows, and its data from DVC's remote. Returns what was new.

    What was changed here stays: data.dvc is taken only where upstream once had it as it is here, and DVC refuses to
    overwrite data that no cache has. git's index is left alone, or the next commit would hold data.dvc. Where git's or
    DVC's remote cannot be reached, or lacks the data, `say` is told, and nothing is new: the next look asks again.
    """
    tracked = f"{DATA}.dvc"
    if not (root / tracked).is_file() or _blob(root, "@{upstream}") is None:
        return ""
    try:
        return _brought(root, tracked)
    except ServiceError as error:
        say(f"{tracked} upstream is left for the next look: {first_line(error)}")
        return ""


def _brought(root: Path, tracked: str) -> str:
    git(root, "fetch", "--quiet")
    theirs, here = _blob(root, "@{upstream}"), git(root, "hash-object", tracked).strip()
    once_theirs = git(root, "rev-list", "--objects", "@{upstream}", "--", tracked)
    if theirs in (None, here) or (here != _shared(root) and here not in once_theirs):
        return ""
    before = (root / tracked).read_text(encoding="utf-8")
    try:
        (root / tracked).write_text(git(root, "show", f"@{{upstream}}:./{tracked}"), encoding="utf-8")
        # Not `dvc pull`: where the remote lacks the data it removes what is here.
        dvc(root, "fetch", "--quiet", tracked)
        if not _in_cache(root / tracked):
            raise ServiceError("DVC's remote lacks its data: `dvc push` where it was made")
        dvc(root, "checkout", "--quiet", tracked)
    except BaseException:
        (root / tracked).write_text(before, encoding="utf-8")  # or the next look would take it for done
        raise
    return f"{tracked} upstream names another version of {DATA}/"


def _in_cache(tracked: Path) -> bool:
    from dvc.repo import Repo

    with Repo(str(tracked.parent)) as repo:
        return not any(out.changed_cache() for out in repo.stage.load_one(str(tracked)).outs)


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
