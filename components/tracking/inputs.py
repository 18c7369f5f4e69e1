"""The data of a run, identified by DVC's hashes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from components.artifacts import MANIFEST, digest
from components.tracking.tracked_run import Input

_DIGEST_LENGTH = 36
"""The longest dataset digest that MLflow accepts."""


def inputs_of(paths: Iterable[Path]) -> tuple[Input, ...]:
    """The inputs among these paths: outputs in data.dvc or dvc.lock, or artifacts with a manifest inside them."""
    known = dvc_hashes()
    return tuple(
        Input(path.as_posix(), found[:_DIGEST_LENGTH])
        for path in paths
        if path.exists() and (found := _digest(path, known))
    )


def _digest(path: Path, known: dict[str, str]) -> str:
    """DVC's hash; for a folder inside an output, such as artifacts/tasks/NAME, the hash of its manifest."""
    if path.as_posix() in known:
        return known[path.as_posix()]
    inside = any(parent.as_posix() in known for parent in path.parents)
    return digest(path) if inside and (path / MANIFEST).is_file() else ""


def dvc_hashes() -> dict[str, str]:
    """Path -> DVC hash, of every output in dvc.lock and of data.dvc."""
    tracked = read_yaml(Path("data.dvc")).get("outs", [])
    return {out["path"]: out["md5"] for out in [*tracked, *outputs(read_lock()).values()] if "md5" in out}


def made_from(paths: Iterable[Path], lock: Mapping[str, Any]) -> list[str]:
    """The stages that write these paths, or a folder that contains them, and all stages before those."""
    makers = {out["path"]: name for name, entry in lock.items() for out in entry.get("outs", [])}
    found: dict[str, None] = {}
    ahead = list(paths)
    while ahead:
        path = ahead.pop()
        names = {makers[place.as_posix()] for place in (path, *path.parents) if place.as_posix() in makers}
        for name in names - found.keys():
            found[name] = None
            ahead += [Path(dep["path"]) for dep in lock[name].get("deps", [])]
    return list(found)


def outputs(lock: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Path -> output, of every stage."""
    return {out["path"]: out for entry in lock.values() for out in entry.get("outs", [])}


def given(lock: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Stage -> what it reads that no stage writes, alone or within a folder: data and code."""
    made = outputs(lock).keys()

    def is_made(dep: Mapping[str, Any]) -> bool:
        path = Path(dep["path"])
        return any(place.as_posix() in made for place in (path, *path.parents))

    return {stage: [dep for dep in entry.get("deps", []) if not is_made(dep)] for stage, entry in lock.items()}


def read_lock(root: Path = Path()) -> dict[str, Any]:
    """Stage -> its entry in dvc.lock; empty where the file does not exist."""
    stages: dict[str, Any] = read_yaml(root / "dvc.lock").get("stages", {})
    return stages


def read_yaml(path: Path) -> dict[str, Any]:
    """A file written by DVC, in YAML 1.2, where the word `on` is no boolean; empty where the file does not exist."""
    from ruamel.yaml import YAML

    if not path.is_file():
        return {}
    return YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {}
