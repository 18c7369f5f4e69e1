"""Times a bundle's rungs in turn on this machine, one process at a time, and writes the page of the result."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.artifacts import digest
from components.errors import ArtifactError
from components.lease import lease
from components.params import Params
from components.runtime.manifest import read_bundle
from components.tasks.kinds import task_of

REPORTS = Path("reports/speed")
LOCK = Path(".lianzi/release.lock")


@contextmanager
def one_at_a_time(root: Path, who: str) -> Iterator[None]:
    """Wait, told in a line, until no other release or measurement of this project is under way, in whatever process:
    rungs timed beside others give numbers that mean nothing, and MLflow's `log_model` bears no company."""

    def say(_: str) -> None:
        print(f"[{who}] waits for another release or `lianzi speed` to end", flush=True)

    with lease(root / LOCK, who, -1, say):
        yield


def measured(root: Path, bundle: Path, params: Params) -> dict[str, Any]:
    """Time a bundle's rungs on the test rows of its task. Raises ArtifactError without rows."""
    from components.deployment.rows import read_rows
    from components.deployment.speed import Target, measure_speed

    manifest = read_bundle(bundle)
    if "labels" not in manifest:
        raise ArtifactError(
            f"{bundle}: not a classifier's bundle", "a language model's rungs are timed as it is bundled"
        )
    rows = root / "artifacts" / "tasks" / manifest["task"]
    if not (rows / "test.jsonl").is_file():
        raise ArtifactError(f"{rows}: no rows of '{manifest['task']}' to time with", "`dvc repro curate` makes them")
    texts = read_rows(rows, "test", manifest["labels"]).texts
    release = params.release
    target = Target(release.target_batch, release.min_speedup, release.speed_rounds, release.confidence)
    found = measure_speed(bundle, texts, release.batches, target)
    return found | {"systems": _systems(root, bundle, texts, params)}


def _systems(root: Path, bundle: Path, texts: Sequence[str], params: Params) -> dict[str, Any]:
    """Milliseconds of the models in PyTorch that a bundle of this project came from, and of its rungs in turn with
    them; empty for a bundle from elsewhere."""
    from components.deployment.timing import latencies
    from components.evaluation.rungs import bundle_rung, torch_rung

    made = read_bundle(bundle)
    task = task_of(made)
    folders = {name: root / "artifacts" / made["task"] / name for name in ("teacher", "student")}
    if bundle.resolve().parent != (root / "artifacts" / made["task"]).resolve():
        return {}
    contenders: dict[str, Callable[[Sequence[str]], object]] = {
        name: torch_rung(task, folder, made["max_length"]) for name, folder in folders.items() if folder.is_dir()
    }
    contenders |= {name: bundle_rung(task, bundle, name) for name in made["ladder"]}
    with _one_thread():
        return latencies(contenders, texts, params.release.batches, params.release.system_rounds)


@contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch's own number of threads is put back: it is the whole process's."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def report(root: Path, bundle: Path, found: dict[str, Any]) -> Path:
    """Write reports/speed/TASK/: the page, the figure and the numbers. Returns the folder."""
    from components.deployment.speed import write_speed
    from components.evaluation.speed_page import write_speed_page

    folder = root / REPORTS / found["task"]
    metric = task_of(read_bundle(bundle)).metrics[0]
    write_speed_page(folder / "index.html", found, _scores(root, found), refused_for_quality(bundle), metric)
    write_speed(folder, found)
    return folder


def reported(root: Path, task: str, bundle: Path) -> dict[str, Any] | None:
    """The content of a task's page, where it exists and belongs to this bundle."""
    folder = root / REPORTS / task
    try:
        found: dict[str, Any] = json.loads((folder / "speed.json").read_text(encoding="utf-8"))
        of_this = found["bundle"] == digest(bundle)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if of_this and (folder / "index.html").is_file() else None


def _scores(root: Path, found: dict[str, Any]) -> dict[str, Any]:
    """Rung -> its scores on test rows, of those that were evaluated."""
    from components.evaluation.rungs import system_of

    try:
        metrics = json.loads((root / f"metrics/evaluate/{found['task']}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {rung: metrics[system_of(rung)] for rung in found["ladder"] if system_of(rung) in metrics}


def refused_for_quality(bundle: Path) -> dict[str, str]:
    """Rung -> the reason why it is not in the bundle."""
    from components.evaluation.page import refused_rungs

    return refused_rungs(read_bundle(bundle))
