"""The models of an evaluated task, as its result, dvc.lock and its timings describe them, for MLflow's Models table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.artifacts import MANIFEST
from components.params import flatten
from components.tracking.inputs import made_from
from components.tracking.logged_models import Model
from components.tracking.tracked_run import Input
from flows.results import Result

MAKERS = ("pretrain", "finetune", "train_from_scratch", "distill", "quantize", "build")
"""The stages whose parameters stand beside a model's metrics."""
_FOLDERS = {"without_pretraining": "scratch", "teacher": "teacher", "student": "student"}
"""System -> its folder in artifacts/TASK; every other is a rung of the bundle."""
_NO_MODELS = ("baseline", "candidate")
_DIGEST_LENGTH = 36


@dataclass(frozen=True)
class Sources:
    """All results by stage, the ids of their runs, and dvc.lock."""

    results: Mapping[str, Result]
    runs: Mapping[str, str]
    lock: Mapping[str, Any]


def evaluated_rows(root: Path, task: str) -> Input | None:
    """The test rows of a task and their digest; None where they were not pulled."""
    path = Path("artifacts/tasks") / task
    try:
        manifest = json.loads((root / path / MANIFEST).read_text(encoding="utf-8"))
        return Input((path / "test.jsonl").as_posix(), manifest["files"]["test.jsonl"][:_DIGEST_LENGTH])
    except (OSError, ValueError, KeyError):
        return None


def task_models(
    evaluated: Result, sources: Sources, timings: Mapping[str, Any], tags: Mapping[str, str]
) -> list[Model]:
    """The teacher, the students and the rungs that a result of `evaluate` has scored, from the largest down.

    `timings`: milliseconds by system, size of batch and percentile; `tags`: those of every model.
    """
    metrics = json.loads(evaluated.metrics.read_text(encoding="utf-8"))
    hashes = {dep["path"]: dep.get("md5", "") for dep in evaluated.entry.get("deps", [])}
    return [
        _model(evaluated.task, system, metrics, hashes, sources, timings.get(system, {}), tags)
        for system in systems(metrics)
    ]


def systems(metrics: Mapping[str, Any]) -> list[str]:
    """The models among the systems of a metrics file."""
    sizes = metrics.get("size_megabytes", {})
    others = {*_NO_MODELS, *metrics.get("further_choices", {}), *_FOLDERS}
    rungs = sorted((name for name in sizes if name not in others), key=lambda name: -sizes[name])
    return [name for name in (*_FOLDERS, *rungs) if name in metrics]


def _model(
    task: str,
    system: str,
    metrics: Mapping[str, Any],
    hashes: Mapping[str, str],
    sources: Sources,
    timings: Mapping[str, Any],
    tags: Mapping[str, str],
) -> Model:
    path = f"artifacts/{task}/{_FOLDERS.get(system, 'bundle')}"
    makers = [name for name in made_from([Path(path)], sources.lock) if name.partition("@")[0] in MAKERS]
    params: dict[str, Any] = {}
    for name in makers:
        if name in sources.results:
            params |= sources.results[name].params
    scores = {name: value for name, value in metrics[system].items() if isinstance(value, int | float)}
    size = {"size_megabytes": metrics["size_megabytes"][system]} if system in metrics.get("size_megabytes", {}) else {}
    latency = {
        f"latency_ms/{name.replace('.', '/')}": value
        for name, value in flatten(dict(timings)).items()
        if isinstance(value, int | float)
    }
    return Model(
        f"{task}-{system}",
        system if system in ("teacher", "student") else "teacher" if system in _FOLDERS else "rung",
        f"{task}/{system}/{hashes.get(path, '')}",
        # The stage that wrote it comes first among its makers.
        next((sources.runs[name] for name in makers if name in sources.runs), None),
        {"task": task, "system": system, "dvc": f"{path}@{hashes.get(path, '')}", **tags},
        params,
        scores | size | latency,
    )
