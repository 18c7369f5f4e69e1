"""The results that dvc.lock records, each with its metrics file, curves and pages."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components import tracking
from components.params import flatten, read_yaml


@dataclass(frozen=True)
class Result:
    """A stage's result in dvc.lock, and its metrics file."""

    name: str
    entry: dict[str, Any]
    metrics: Path
    curves: Path | None

    @property
    def stage(self) -> str:
        return self.name.partition("@")[0]

    @property
    def task(self) -> str:
        return self.name.partition("@")[2]

    @property
    def key(self) -> str:
        """The digest of inputs and outputs; code that gives the same outputs is not part of it."""
        deps = [item for item in self.entry.get("deps", []) if not item["path"].startswith("components/")]
        told = [self.name, deps, self.entry.get("params", {}), self.entry.get("outs", [])]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    @property
    def pages(self) -> list[Path]:
        """The report folders: reports/NAME, or reports/NAME/TASK."""
        return [Path(out["path"]) for out in self.entry.get("outs", []) if out["path"].startswith("reports/")]

    @property
    def params(self) -> dict[str, Any]:
        """The parameters by the names that they have in a stage's run."""
        found = flatten(self.entry.get("params", {}).get("params.yaml", {}))
        own = f"tasks.{self.task}."
        return {f"task.{key.removeprefix(own)}" if key.startswith(own) else key: found[key] for key in found}


def read_results(root: Path) -> tuple[list[Result], bool]:
    """The results in dvc.lock whose metrics file is the recorded one, and whether that holds for all.

    The lock keeps the results of tasks that an example has taken out of params.yaml: they are no results of it.
    """
    results, whole = [], True
    lock = tracking.read_lock(root)
    tasks = read_yaml(root / "params.yaml")["tasks"] if lock else {}
    for name, entry in lock.items():
        if name.partition("@")[2] not in ("", *tasks):
            continue
        outs = {out["path"]: out for out in entry.get("outs", [])}
        metrics = next((path for path in outs if path.startswith("metrics/") and path.endswith(".json")), None)
        if metrics is None:
            continue
        curves = next((path for path in outs if path.endswith(".csv")), None)
        files = [metrics, *(path for path in outs if path.endswith(".csv"))]
        if all(_is_as_noted(root / path, outs[path]) for path in files):
            results.append(Result(name, entry, root / metrics, root / curves if curves else None))
        else:
            whole = False
    return results, whole


def _is_as_noted(path: Path, out: dict[str, Any]) -> bool:
    return path.is_file() and hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == out.get("md5")
