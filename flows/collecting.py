"""What of a project nothing needs any more: cached data, checkpoints, work trees, deleted runs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from components.errors import ServiceError
from components.tracking import cleanup
from flows.graph import running_outputs
from flows.reproduction.git import git_or_none
from flows.tracked_files import hashes_in, hashes_of_commits, hashes_of_work_tree, parts_of_folders

CACHE_FOLDER = Path("files", "md5")


@dataclass(frozen=True)
class Removable:
    """A kind of thing that can go. size: in bytes; note: why nothing of it goes, "" where something may."""

    kind: str
    count: int = 0
    size: int = 0
    note: str = ""
    remove: Callable[[], None] = field(default=lambda: None)


def collect(root: Path) -> list[Removable]:
    """Nothing is removed yet. Raises ServiceError where a stage is running, or git, DVC or MLflow cannot be asked: then
    nothing is known to be unneeded."""
    if running := running_outputs(root):
        raise ServiceError(f"DVC is writing {Path(next(iter(running))).name}", "wait for that stage to end")
    return [_cached(root), _checkpoints(root), _trees(root), _runs()]


def _cached(root: Path) -> Removable:
    """Objects that no commit, branch, tag, experiment, registered version, sweep or the work tree uses."""
    kind = "objects of DVC's cache that no commit, tag, registered version or the work tree uses"
    cache = _cache(root)
    if not cache.resolve().is_relative_to(root.resolve()):
        return Removable(kind, note=f"{cache} may be shared with other projects: `dvc gc --projects` knows them")
    # Listed first: what DVC stores meanwhile is not removed.
    objects = sorted((cache / CACHE_FOLDER).glob("??/*"))
    wanted = hashes_of_commits(root) | hashes_of_work_tree(root)
    parts: set[str] = set()  # known so far: a lock of thousands of lines takes half a second, and most name the same
    for text in cleanup.registered_locks():
        if text is None:
            return Removable(kind, note="a registered version has no dvc.lock in MLflow, so what it needs is not known")
        needed = hashes_in(text)
        lost = {md5 for md5 in needed if _is_lost(cache, md5)}
        if not lost <= parts:
            parts |= parts_of_folders(text)
        if lost := lost - parts:
            return Removable(kind, note=f"a registered version needs {min(lost)}, whose files are not known here")
        wanted |= needed
    wanted.update(_of_sweeps(root))
    wanted |= {md5 for folder in list(wanted) for md5 in _inside(cache, folder)}
    unused = [path for path in objects if f"{path.parent.name}{path.name}" not in wanted]
    return Removable(kind, len(unused), _size(unused), remove=lambda: _unlink(unused))


def _cache(root: Path) -> Path:
    """The folder of DVC's cache. Raises ServiceError where DVC does not tell."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            return Path(repo.cache.local.path).parent.parent
    except DvcException as error:
        raise ServiceError(f"DVC cannot tell where its cache is: {' '.join(str(error).split())[:300]}") from None


def _of_sweeps(root: Path) -> Iterator[str]:
    """The outputs of every trial of a sweep whose study is kept: one of them may still be taken over."""
    import sqlite3
    from contextlib import closing

    for database in (root / ".lianzi" / "sweeps").glob("*/study.db"):
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as study:
            rows = study.execute("SELECT value_json FROM trial_user_attributes WHERE key = 'outputs'").fetchall()
        for (value,) in rows:
            yield from json.loads(json.loads(value)).values()


def _is_lost(cache: Path, md5: str) -> bool:
    """Whether it is a folder whose list of files the cache lacks."""
    return md5.endswith(".dir") and not (cache / CACHE_FOLDER / md5[:2] / md5[2:]).is_file()


def _inside(cache: Path, md5: str) -> Iterator[str]:
    """The files of a folder in the cache."""
    if md5.endswith(".dir"):
        try:
            listed = json.loads((cache / CACHE_FOLDER / md5[:2] / md5[2:]).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        yield from (one["md5"] for one in listed)


def _checkpoints(root: Path) -> Removable:
    """Checkpoints of trainings but the latest of each stage, which an interrupted run would go on from."""
    stages = Path(os.environ.get("LIANZI_CACHE", root / ".cache")) / "checkpoints"
    old = []
    for stage in stages.glob("*"):
        old += sorted(stage.iterdir(), key=lambda folder: folder.stat().st_mtime_ns, reverse=True)[1:]
    return Removable(
        "checkpoints of trainings before the latest of each stage", len(old), _size(old), remove=lambda: _unlink(old)
    )


def _trees(root: Path) -> Removable:
    """Work trees that `lianzi reproduce` and failed trials left to look at."""
    trees = [
        *(root / ".lianzi" / "reproductions").glob("*"),
        *(path for path in (root / ".lianzi" / "sweeps").glob("*/*") if path.is_dir()),
    ]

    def remove() -> None:
        _unlink(trees)
        git_or_none(root, "worktree", "prune")  # a project without git has none to prune

    return Removable("work trees kept to look at", len(trees), _size(trees), remove=remove)


def _runs() -> Removable:
    deleted = cleanup.deleted_runs()
    size = _size([folder for folder in deleted.values() if folder is not None])
    return Removable("runs deleted in MLflow", len(deleted), size, remove=lambda: cleanup.remove_deleted(list(deleted)))


def _size(paths: Iterable[Path]) -> int:
    """Bytes of files and folders, those of a hard link included."""
    total = 0
    for path in paths:
        files = path.rglob("*") if path.is_dir() else (path,)
        total += sum(file.lstat().st_size for file in files if file.is_file() or file.is_symlink())
    return total


def _unlink(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
