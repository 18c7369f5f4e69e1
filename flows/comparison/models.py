"""The models of two results on the same test rows: scores, the paired difference, latency in turn, size."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components import tracking
from components.artifacts import digest
from components.deployment.timing import latencies
from components.evaluation.metrics import Bootstrap, Interval
from components.evaluation.rungs import bundle_rung
from components.evaluation.versus_baseline import sentence
from components.params import Params
from components.registry import Registry
from components.runtime.manifest import SPEED_FILE, megabytes, read_bundle, shipped_rung
from components.tasks.kinds import task_of
from components.tasks.metrics import Metric
from components.tasks.rows import read_split, read_task
from flows.reproduction.outputs import Recorded

BATCH = 1
TASKS = "artifacts/tasks"


@dataclass(frozen=True)
class Rung:
    """A rung of a bundle. score: the first metric on the test rows; milliseconds: the median of calls with one row."""

    name: str
    score: float
    milliseconds: float
    megabytes: float
    default: bool


@dataclass(frozen=True)
class Pair:
    """Two bundles of a task. told: who is better, in a sentence; gain: of the second over the first, by `metric`."""

    task: str
    rows: int
    metric: Metric
    told: str
    gain: Interval
    rungs: tuple[tuple[Rung, ...], tuple[Rung, ...]]


def tasks_of(lock: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Task -> the output that is its bundle."""
    outs = [out for entry in lock.values() for out in entry.get("outs", [])]
    return {Path(out["path"]).parent.name: out for out in outs if Path(out["path"]).name == "bundle"}


def fetched(out: Mapping[str, Any], recorded: Recorded, folder: Path, below: str = "") -> bool:
    """Lay out a recorded folder, or the part of it below a name, in `folder`; False where DVC's cache lacks a file."""
    files = recorded.files(out)
    if files is None:
        return False
    for name, md5 in files.items():
        if not name.startswith(below):
            continue
        content = recorded.bytes_of(md5)
        if content is None:
            return False
        target = folder / name.removeprefix(below)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return True


def add_timings(task: str, bundle: Path) -> None:
    """Lay the timings with which a bundle was registered beside its files: they say which of its rungs answers. DVC has
    none, since they are no function of the inputs."""
    if not tracking.store_exists():
        return
    registry = Registry()
    number = registry.version_of(task, digest(bundle))
    if number is not None and (timings := registry.bundle(task, number) / SPEED_FILE).is_file():
        shutil.copyfile(timings, bundle / SPEED_FILE)


def unlike(bundles: tuple[Path, Path], rows: Path) -> str:
    """Why two bundles' answers to the rows cannot be set side by side; "" where they can. Answers are numbers of
    labels, so both models must have been given those of the rows."""
    asked = read_task(rows)
    for made in (task_of(read_bundle(bundle)) for bundle in bundles):
        if (made.kind, made.pair) != (asked.kind, asked.pair):
            return "one result has it as another kind of task, so the models are not compared"
        if (made.labels, made.passages) != (asked.labels, asked.passages):
            return "one result has other labels or answers, so the models are not compared"
    return ""


def compared(task_name: str, bundles: tuple[Path, Path], rows: Path, params: Params, names: tuple[str, str]) -> Pair:
    """Score and time both bundles, every rung, on the test rows in `rows`; one thread each, in turn."""
    task = read_task(rows)
    test = read_split(rows / "test.jsonl", task)
    texts: list[Any] = [task.text(row) for row in test]
    targets = task.targets(test)
    bootstrap = Bootstrap(task, targets, params.evaluate.bootstrap_samples, params.evaluate.confidence, params.seed)
    ladders = [read_bundle(bundle)["ladder"] for bundle in bundles]
    systems = {
        # Decoded as its own manifest says: a threshold or a scale is the model's, not the rows'.
        (side, rung): bundle_rung(task_of(read_bundle(bundle)), bundle, rung)
        for side, (bundle, ladder) in enumerate(zip(bundles, ladders, strict=True))
        for rung in ladder
    }
    answers = {key: answer(texts) for key, answer in systems.items()}
    labelled = {f"{side} {rung}": answer for (side, rung), answer in systems.items()}
    spent = latencies(labelled, texts, [BATCH], params.release.system_rounds)
    metric = task.metrics[0]
    defaults = [shipped_rung(bundle, read_bundle(bundle)) for bundle in bundles]
    rungs = [
        tuple(
            Rung(
                rung,
                bootstrap.interval(metric, answers[side, rung]).value,
                spent[f"{side} {rung}"][f"batch_{BATCH}"]["p50"],
                megabytes(bundles[side], read_bundle(bundles[side])["rungs"][rung]),
                rung == defaults[side],
            )
            for rung in ladders[side]
        )
        for side in (0, 1)
    ]
    first, second = (answers[side, defaults[side]] for side in (0, 1))
    gains = bootstrap.gains(first, second)
    told = f"{names[1]}: {sentence(gains, task, names[0])}"
    return Pair(task_name, len(test), metric, told, bootstrap.gain(first, second), (rungs[0], rungs[1]))
