"""Inputs of stages that differ from those a result was recorded with: data, code, parameters, library versions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from components.declared import LIBRARIES
from components.params import flatten
from components.tracking.inputs import given, read_yaml
from flows.graph import DATA
from flows.reproduction.outputs import listed


@dataclass(frozen=True)
class Input:
    """An input that is another one now. kind: data, code, parameter or library; before, now: hashes or values."""

    kind: str
    name: str
    before: object
    now: object

    def told(self) -> str:
        if self.kind in ("parameter", "library"):
            return f"{self.kind} {self.name}: {self.before} recorded, {self.now} now"
        return f"{self.kind} {self.name}: {'another one' if self.now else 'missing now'}"


def differing_inputs(project: Path, lock: Mapping[str, Any]) -> dict[str, list[Input]]:
    """Stage -> its inputs in the folder `project` that are not the recorded ones; stages without any are left out.

    Outputs of other stages are no inputs here: they are compared once they are made.
    """
    tracked = {out["path"]: out["md5"] for out in read_yaml(project / f"{DATA}.dvc").get("outs", [])}
    found = {}
    for stage, files in given(lock).items():
        differing = [*_files(project, files, tracked), *_values(project, lock[stage].get("params", {}))]
        if differing:
            found[stage] = differing
    return found


def _files(project: Path, deps: Sequence[Mapping[str, Any]], tracked: Mapping[str, str]) -> Iterator[Input]:
    for dep in deps:
        path = dep["path"]
        now = tracked[path] if path in tracked else _hash(project / path)
        if now != dep.get("md5"):
            yield Input("code" if path.startswith("components/") else "data", path, dep.get("md5"), now)


def _hash(path: Path) -> str | None:
    """DVC's hash of a file or a folder; None where it is missing."""
    if path.is_dir():
        files = [{"md5": _md5(file), "relpath": name} for name, file in sorted(listed(path).items())]
        return hashlib.md5(json.dumps(files).encode(), usedforsecurity=False).hexdigest() + ".dir"
    return _md5(path) if path.is_file() else None


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, partial(hashlib.md5, usedforsecurity=False)).hexdigest()


def _values(project: Path, params: Mapping[str, Mapping[str, Any]]) -> Iterator[Input]:
    """Values of the parameter files; in the lock a whole section stands under its name."""
    for file, recorded in params.items():
        content = read_yaml(project / file)
        now = flatten({name: _at(content, name) for name in recorded})
        before = flatten(dict(recorded))
        kind = "library" if file == LIBRARIES else "parameter"
        for name in dict.fromkeys([*before, *now]):
            if before.get(name) != now.get(name):
                yield Input(kind, name, before.get(name), now.get(name))


def _at(content: Any, dotted: str) -> Any:
    """A value by its dotted name; a name with dots in it may be a key of its own."""
    if isinstance(content, Mapping) and dotted in content:
        return content[dotted]
    for name in dotted.split("."):
        content = content.get(name) if isinstance(content, Mapping) else None
    return content
