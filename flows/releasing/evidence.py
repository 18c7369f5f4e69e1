"""The evidence that the gates of a release judge, from the evaluation, the bundle, the data's checks and MLflow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from components.corpus.files import UNKNOWN
from components.deployment.speed_up import SpeedUp, speed_up
from components.errors import ArtifactError
from components.evaluation.baselines.table import compared_with
from components.evaluation.metrics import Bootstrap
from components.evaluation.rungs import bundle_rung, system_of
from components.modeling.kinds import GENERATES
from components.params import Params
from components.registry import Registry, Version
from components.runtime.bundle import load_bundle
from components.runtime.manifest import megabytes, read_bundle, shipped_rung
from components.tasks.kinds import task_of
from components.tasks.rows import read_split, read_task
from components.tasks.task import Task
from components.tracking.past_runs import REPRODUCED
from flows.releasing.behaviour import Behaviour, analysis_metrics
from flows.releasing.gates import Evidence, Rival


@dataclass(frozen=True)
class Candidate:
    """The registered version of a project's bundle. metrics: of `evaluate`; found: the timings it was released on."""

    root: Path
    name: str
    version: Version
    bundle: Path
    metrics: Mapping[str, Any]
    found: Mapping[str, Any]

    @property
    def rung(self) -> str:
        """The rung that ships."""
        return self.version.tags["rung"]

    @property
    def rows(self) -> Path:
        return self.root / "artifacts" / "tasks" / self.name


def gather(candidate: Candidate, champion: Version | None, registry: Registry, params: Params) -> Evidence:
    """Raises ArtifactError where the rung was not evaluated."""
    task, made = read_task(candidate.rows), read_bundle(candidate.bundle)
    decides, beaten = task.metrics[0].name, None
    if champion is not None:
        beaten = rival(candidate, registry.bundle(candidate.name, champion.version), champion, params)
    return Evidence(
        candidate.name,
        candidate.version.version,
        candidate.rung,
        task,
        scores_of(candidate.metrics, candidate.rung)[decides],
        scores_of(candidate.metrics, "teacher")[decides],
        over_baseline(candidate.metrics, candidate.rung),
        compared_with(candidate.metrics, task).phrase,
        beaten,
        median_milliseconds(candidate.found, candidate.rung, params.release.target_batch),
        megabytes(candidate.bundle, made["rungs"][candidate.rung]),
        _json(candidate.root / f"metrics/build/{candidate.name}.json").get("gate", {}).get(candidate.rung),
        leaks(candidate.root, candidate.name),
        licences(made),
        registry.noted(candidate.name, candidate.version.version, REPRODUCED),
        behaviour(candidate.root, candidate.name),
    )


def scores_of(metrics: Mapping[str, Any], rung: str) -> dict[str, float]:
    """The scores of a rung on the test rows. Raises ArtifactError for one that was not evaluated."""
    try:
        return {name: float(value) for name, value in metrics[system_of(rung)].items() if isinstance(value, float)}
    except KeyError:
        raise ArtifactError(f"the rung {rung} was not evaluated", "run `lianzi run`") from None


def over_baseline(metrics: Mapping[str, Any], rung: str) -> dict[str, dict[str, float]]:
    """The gain of a rung over the baseline. Raises ArtifactError where an older `evaluate` did not compute it."""
    try:
        found: dict[str, dict[str, float]] = metrics["over_baseline"][system_of(rung)]
    except KeyError:
        raise ArtifactError(f"the rung {rung} was not compared with its baseline", "run `lianzi run`") from None
    return found


def rival(candidate: Candidate, bundle: Path, champion: Version, params: Params) -> Rival | None:
    """The champion beside the candidate on today's test rows: scores on other rows would not compare.

    None where it answers another kind of task: the task of this name has been changed since.
    """
    task = read_task(candidate.rows)
    rows = read_split(candidate.rows / "test.jsonl", task)
    texts = [task.text(row) for row in rows]
    theirs, ours = task_of(read_bundle(bundle)), task_of(read_bundle(candidate.bundle))
    if (theirs.kind, theirs.pair) != (ours.kind, ours.pair):
        return None
    # A champion of other days may answer with labels that the task no longer has; passages are today's alone.
    both = replace(task, labels=tuple(dict.fromkeys([*task.labels, *theirs.labels])))
    bootstrap = Bootstrap(
        both, both.targets(rows), params.evaluate.bootstrap_samples, params.evaluate.confidence, params.seed
    )
    before = _answers(both, theirs, bundle, None, texts)
    gain = bootstrap.gain(before, _answers(both, ours, candidate.bundle, candidate.rung, texts))
    score = bootstrap.interval(both.metrics[0], before).value
    slowdown = None if params.release.max_slowdown is None else timed_against(candidate, bundle, texts, params)
    return Rival(champion.version, score, gain, slowdown)


def _answers(both: Task, own: Task, bundle: Path, rung: str | None, texts: Sequence[Any]) -> np.ndarray:
    """A bundle's answers, decoded as its own manifest says, in the numbers of `both`."""
    if both.head in GENERATES or (own.labels, own.passages) == (both.labels, both.passages):
        return bundle_rung(own, bundle, rung)(texts)
    return renumbered(both, own, own.decode(load_bundle(bundle, rung).logits(texts)))


def renumbered(both: Task, own: Task, answers: np.ndarray) -> np.ndarray:
    """Answers of `own` in the numbers of `both`; of found passages [rows, found], -1 for one that `both` has not."""
    if own.passages:
        numbers = {passage: number for number, passage in enumerate(both.passages)}
        return np.array([numbers.get(passage, -1) for passage in own.passages], dtype=np.int64)[answers]
    return both.targets([{both.target: value} for value in own.values(answers)])


def timed_against(candidate: Candidate, bundle: Path, texts: Sequence[Any], params: Params) -> SpeedUp:
    """How many times as long the candidate takes as the champion's bundle, in turn on this machine."""
    from components.deployment.speed import cases, timed_rung
    from components.deployment.timing import time_cases

    limits = params.release
    ours = timed_rung(candidate.bundle, candidate.rung)
    theirs = timed_rung(bundle, shipped_rung(bundle, read_bundle(bundle)))
    every = cases(ours, texts, [limits.target_batch])
    seconds = time_cases({"ours": ours.predict, "theirs": theirs.predict}, every, limits.speed_rounds)
    return speed_up(list(seconds["ours"].values()), list(seconds["theirs"].values()), limits.confidence)


def median_milliseconds(found: Mapping[str, Any], rung: str, batch: int) -> float | None:
    """The p50 of calls with so many rows, of long rows where they take longer; None where that was not timed."""
    cases: Mapping[str, Any] = found.get("speed", {}).get(rung, {})
    return max((one["p50"] for name, one in cases.items() if name.startswith(f"batch_{batch}_")), default=None)


def leaks(root: Path, name: str) -> dict[str, tuple[int, int]] | None:
    """Of the corpus and of each split of a task: rows that also stand in a split held out from it, by the verdict of
    `validate`, and rows. None where the verdict lacks one of them."""
    suites = _json(root / "artifacts" / "validation" / "verdict.json").get("suites", {})
    rows = _json(root / "metrics" / "validate.json").get("rows", {})
    tables = ["corpus", *(f"{name}_{split}" for split in ("train", "validation", "test"))]
    found = {
        table: (int(one["unexpected_count"]), int(rows.get(table, 0)))
        for table in tables
        for one in suites.get(table, [])
        if one["column"] == "held_out_in"
    }
    return found if list(found) == tables else None


def behaviour(root: Path, name: str) -> dict[str, Behaviour] | None:
    """What each analysis of `analyze` found; None where it did not run."""
    metrics = _json(root / analysis_metrics(name))
    if not metrics:
        return None
    told = _json(root / "reports" / "model" / name / "findings.json")
    return {
        analysis: Behaviour(found, tuple(told.get(analysis, {}).get("sentences", ())))
        for analysis, found in metrics.items()
        if isinstance(found, dict)
    }


def licences(made: Mapping[str, Any]) -> dict[str, str]:
    """Source -> licence, of the data that a bundle was made from."""
    return {source: licence or UNKNOWN for source, licence in made.get("licences", {}).items()}


def _json(path: Path) -> dict[str, Any]:
    """A file's content; empty where it is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
