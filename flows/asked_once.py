"""An input is asked once in a reading of the graph, where DVC asks it for each stage that names it."""

from __future__ import annotations

import copy
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from types import MethodType
from typing import Any

Hash = Callable[[], Any]
Values = Callable[[], dict[str, Any]]


def ask_once(stages: Iterable[Any]) -> None:
    """Give the stages of one reading each other's answers: hashes of files and folders, values of parameter files.

    DVC answers and compares; the first stage that asks has the answer computed, the others get the same, so all see an
    input as it was at one moment. Nothing outlives these objects, which DVC makes anew for each reading. Left alone are
    outputs, and inputs that are no local files, such as those of another repository.
    """
    asked = [stage for stage in stages if not stage.frozen]  # of a frozen stage DVC asks no input
    _share_hashes([dep for stage in asked for dep in stage.deps])
    _share_values([dep for stage in asked for dep in stage.deps])


def without_locks(stages: Iterable[Any]) -> None:
    """Let these stages be asked for their status without locks on their files.

    Each would write a file four times, and whoever only looks keeps nobody from writing.
    """
    for stage in stages:
        stage.status = MethodType(inspect.unwrap(type(stage).status), stage)


def _share_hashes(deps: Sequence[Any]) -> None:
    from dvc.dependency import Dependency

    known: dict[tuple[str, str], Hash] = {}
    for dep in deps:
        if type(dep) is Dependency and dep.fs is dep.repo.fs:
            # An error is not kept: a file that is gone by then is told to each stage by DVC.
            dep.get_hash = known.setdefault((dep.fs_path, dep.hash_name), cache(dep.get_hash))


def _share_values(deps: Sequence[Any]) -> None:
    from dvc.dependency import ParamsDependency

    by_file: dict[str, list[Any]] = defaultdict(list)
    for dep in deps:
        if type(dep) is ParamsDependency and dep.params:  # without names it is the whole file
            by_file[dep.fs_path].append(dep)
    for sharing in by_file.values():
        asking = copy.copy(sharing[0])
        asking.params = [*dict.fromkeys(name for dep in sharing for name in dep.params)]
        values = cache(asking.read_params)
        for dep in sharing:
            dep.read_params = partial(_among, values, dep.params)


def _among(values: Values, names: Sequence[str]) -> dict[str, Any]:
    found = values()
    return {name: found[name] for name in names if name in found}
