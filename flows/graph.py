"""The graph as DVC reads it, with DVC's verdict on which stages are fresh."""

from __future__ import annotations

import contextlib
import gc
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from components.declared import LIBRARIES
from components.errors import ParameterError, ServiceError
from components.libraries import installed
from flows.asked_once import ask_once, without_locks

DATA = "data"
LOCKED = "Unable to acquire lock"
BUSY = "is busy, it is being blocked by"
"""DVC's messages when another of its processes holds the repository, or the files of a running stage."""
_LOOKS = 5


@dataclass(frozen=True)
class Stage:
    """A node of the graph: a stage of dvc.yaml or a tracked file such as data.dvc."""

    name: str
    needs: tuple[str, ...]
    changes: tuple[str, ...]
    """The reason why DVC calls the stage stale; empty when fresh."""
    running: int | None = None
    """The process that is running the stage now."""
    writes: tuple[str, ...] = ()
    """Its outputs, without metrics and plots: paths within the project."""
    reads: tuple[str, ...] = ()
    """Those of the stages it needs that it reads a part of, or all."""
    trains: bool = False
    """Whether it reads the section `trainer` of params.yaml."""

    @property
    def fresh(self) -> bool:
        return not self.changes


def read_graph(root: Path) -> list[Stage]:
    """Every stage, each after those it needs, even while other DVC processes run.

    Raises ServiceError when DVC cannot read the project, DataError for data that it cannot version: DVC would report no
    change for a linked folder, and would wait forever for a pipe.
    """
    with _uncollected():
        return _read(root)


def _read(root: Path) -> list[Stage]:
    import networkx
    from dvc.exceptions import DvcException

    from components.corpus.unversioned import refuse_unversioned

    if os.path.lexists(root / DATA):
        refuse_unversioned(root / DATA)
    try:
        with _looked_at(root) as repo:
            graph, changed = _seen(lambda: _verdict(repo))
            version = cache(installed)
            running = running_outputs(root)
            names = {stage: str(stage.addressing) for stage in graph.nodes}
            # Edges run from a stage to what it needs; ties are broken by name, so that the order repeats.
            order = networkx.lexicographical_topological_sort(graph.reverse(copy=True), key=names.__getitem__)
            return [
                Stage(
                    names[stage],
                    tuple(sorted(names[need] for need in graph.successors(stage))),
                    _why(stage, changed.get(names[stage], []), version),
                    next((running[out.fs_path] for out in stage.outs if out.fs_path in running), None),
                    tuple(out.def_path for out in _data_outs(stage)),
                    _read_of(stage, graph.successors(stage)),
                    _trains(stage),
                )
                for stage in order
            ]
    except DvcException as error:
        raise _explained(error) from None


def data_version(root: Path, stages: Iterable[Stage]) -> str:
    """The problem with the version of data/: none exists, or data.dvc has another; "" where there is no problem."""
    if not (root / DATA).is_dir():
        return ""
    known = {stage.name: stage for stage in stages}.get(f"{DATA}.dvc")
    if known is None:
        return f"{DATA}/ has no version, so no result can be traced to it: `dvc add {DATA}`, and commit {DATA}.dvc"
    if known.fresh:
        return ""
    return (
        f"{DATA}/ is not what {DATA}.dvc names: `dvc add {DATA}` gives it a version, and so does a run; "
        f"commit {DATA}.dvc then"
    )


def _data_outs(stage: Any) -> list[Any]:
    return [out for out in stage.outs if not (out.metric or out.plot)]


def _read_of(stage: Any, needed: Iterable[Any]) -> tuple[str, ...]:
    """The outputs of these stages that a dependency of `stage` is, lies in or contains: what makes an edge for DVC."""
    deps = [f"{dep.fs_path}{os.sep}" for dep in stage.deps]
    found = {out.def_path: f"{out.fs_path}{os.sep}" for need in needed for out in _data_outs(need)}
    return tuple(
        sorted(name for name, out in found.items() if any(dep.startswith(out) or out.startswith(dep) for dep in deps))
    )


def _trains(stage: Any) -> bool:
    sections = (name.partition(".")[0] for dep in stage.deps if dep.def_path == "params.yaml" for name in dep.params)
    return "trainer" in sections


@contextmanager
def _looked_at(root: Path) -> Iterator[Any]:
    """DVC's repository for reading: without its locks, which a stage holds for as long as it runs."""
    from dvc.lock import LockNoop
    from dvc.repo import Repo

    with Repo(str(root)) as repo, TemporaryDirectory() as apart:
        repo.lock = LockNoop()
        repo.tmp_dir = apart  # of the locks on a stage's files
        yield repo


def _verdict(repo: Any) -> tuple[Any, dict[str, Any]]:
    """The graph, and what has changed of each stage. In one turn of the lock: DVC reads every file anew for another."""
    from dvc.repo import lock_repo

    from flows.tagged_once import tagged_once

    with lock_repo(repo), tagged_once():
        graph = repo.index.graph
        ask_once(repo.index.stages)
        without_locks(repo.index.stages)
        return graph, repo.status()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cycles: modules and what DVC reads are needed to the end, so it would find nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _seen(look: Callable[[], Any]) -> Any:
    """The result of a read; it is repeated where files disappeared meanwhile, as they do when a stage begins."""
    for _ in range(_LOOKS):
        with contextlib.suppress(FileNotFoundError):
            return look()
    return look()


def running_outputs(root: Path) -> dict[str, int]:
    """Output -> the DVC process that is writing it, by DVC's own record."""
    import psutil

    try:
        content = json.loads((root / ".dvc" / "tmp" / "rwlock").read_text(encoding="utf-8"))
        writers = {path: int(info["pid"]) for path, info in content.get("write", {}).items()}
    except (OSError, ValueError, KeyError):
        return {}
    return {path: pid for path, pid in writers.items() if psutil.pid_exists(pid)}


def _why(stage: Any, changes: list[Any], version: Callable[[str], str | None]) -> tuple[str, ...]:
    """The reason why a stage is stale, changed library versions first: DVC does not see them before they are
    recorded.
    """
    locked = [(dep, dep.hash_info.value or {}) for dep in stage.deps if dep.def_path == LIBRARIES]
    versions = [(name, known.get(name), version(name)) for dep, known in locked for name in dep.params]
    other = [f"{name} {before} -> {now}" for name, before, now in versions if before and now and before != now]
    rest = [reason for reason in _reasons(changes) if not (other and reason.startswith(f"deps {LIBRARIES} "))]
    return (*other, *rest)


def _reasons(changes: list[Any]) -> tuple[str, ...]:
    """DVC's description of a stage's changes, as short phrases."""
    reasons: list[str] = []
    for change in changes:
        if isinstance(change, str):
            reasons.append(change)
            continue
        for kind, paths in change.items():
            reasons += [f"{kind.removeprefix('changed ')} {path} {_state(state)}" for path, state in paths.items()]
    return tuple(reasons)


def _state(state: Any) -> str:
    if isinstance(state, dict):
        return ", ".join(f"{key} {value}" for key, value in state.items())
    return str(state)


def _explained(error: Exception) -> ParameterError | ServiceError:
    message = " ".join(str(error).split())
    if LOCKED in message or BUSY in message:
        return ServiceError(
            "another DVC process works on this project", "wait for it, or remove .dvc/tmp/lock if none runs"
        )
    if "not inside of a DVC repository" in message:
        return ServiceError(
            "no .dvc folder here or above, so this is no DVC project",
            "in a new folder: `git init && dvc init`; `lianzi init` makes a project with both",
        )
    if "is not a git repository" in message or "not a git repo" in message.lower():
        return ServiceError("the project is in no git repository", "run `git init` in its folder")
    return ServiceError(f"DVC cannot read the graph: {message[:300]}", "`dvc stage list` says more")
