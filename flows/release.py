"""Release: register a task's bundle in MLflow and decide whether it becomes the champion.

Before that, its rungs are timed in turn on this machine: a rung that is not surely faster than the one above is
refused, and the one above ships (components.deployment.speed). The alias `champion` moves only to a model whose shipped
rung loses at most release.max_loss against its teacher, gains at least release.min_gain_over_baseline over the baseline
to beat, and more than release.min_gain over the present champion, on the same test rows. One release at a time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from components import tracking
from components.artifacts import digest, write_json
from components.deployment.config import ReleaseConfig
from components.errors import ArtifactError
from components.evaluation.baselines.table import compared_with
from components.evaluation.versus_baseline import Gain, sentence, shortfall
from components.modeling.kinds import GENERATES
from components.params import Params, flatten, load_params
from components.registry import ROLLED_BACK, Registry, Version
from components.runtime.manifest import SPEED_FILE, read_bundle
from components.runtime.signing import sign_bundle
from components.tasks.kinds import task_of
from components.tasks.metrics import Metric, score
from components.tasks.rows import read_split, read_task
from components.tasks.task import Task
from flows import timing

RECORD = Path(".lianzi/released.json")
"""The last bundle considered, with its limits and store: a run with nothing to do does not query MLflow."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on a bundle. `rung`: the one that ships; `scores`: those of `evaluate` on test rows."""

    task: str
    version: int
    champion: bool
    rung: str
    scores: dict[str, float]
    line: str


def task_names(root: Path) -> list[str]:
    """The tasks of params.yaml."""
    return list(load_params(root / "params.yaml").tasks)


def is_current(root: Path) -> bool:
    """Whether the present MLflow store has considered every bundle now in artifacts/ by the present limits, and each
    has its page."""
    record = _record(root)
    if record["store"] != tracking.tracking_uri() or not tracking.store_exists():
        return False
    params = load_params(root / "params.yaml")
    bundles = {name: root / "artifacts" / name / "bundle" for name in params.tasks}
    return all(
        path.is_dir()
        and record["bundles"].get(name) == considered(path, params.release)
        and timing.reported(root, name, path) is not None
        for name, path in bundles.items()
    )


def considered(bundle: Path, limits: ReleaseConfig) -> str:
    """The inputs of a verdict: with other limits the verdict may differ."""
    return hashlib.sha256(f"{digest(bundle)} {limits.model_dump_json()}".encode()).hexdigest()


def release(name: str, root: Path, run_id: str) -> Verdict:
    """Register a bundle and decide about it. Raises ArtifactError when it is missing or was not evaluated."""
    bundle = root / "artifacts" / name / "bundle"
    read_bundle(bundle)
    metrics = _metrics(root / "metrics" / "evaluate" / f"{name}.json")
    with timing.one_at_a_time(root, f"release@{name}"):
        params = load_params(root / "params.yaml")
        verdict = _judge(name, bundle, metrics, params, root, run_id)
        _remember(root, name, considered(bundle, params.release))
    return verdict


def _judge(name: str, bundle: Path, metrics: dict[str, Any], params: Params, root: Path, run_id: str) -> Verdict:
    registry = Registry()
    champion = registry.champion(name)
    version = _registered(registry, name, bundle, metrics, params, root, run_id)
    rung = version.tags["rung"]
    scores = _scores(metrics, rung)
    known = f"{name} v{version.version} ({rung})"
    if champion is not None and champion.version == version.version:
        return Verdict(name, version.version, True, rung, scores, f"{known} is the champion already")
    if ROLLED_BACK in version.tags:
        line = f"{known} was rolled back, not champion: `lianzi rollback {name} --to {version.version}` takes it again"
        return Verdict(name, version.version, False, rung, scores, line)
    rival = champion_score(registry, name, champion.version, root) if champion else None
    task = read_task(root / "artifacts" / "tasks" / name)
    decides = task.metrics[0].name
    judged = {"teacher": _scores(metrics, "teacher")[decides], "shipped": scores[decides]}
    gains, baseline = _over_baseline(metrics, rung), compared_with(metrics, task).phrase
    if refusal := refused(judged, rival, gains, params.release, task, baseline):
        registry.refuse(name, version.version, refusal)
        return Verdict(name, version.version, False, rung, scores, f"{known} registered, not champion: {refusal}")
    registry.set_champion(name, version.version)
    before = f", before it v{champion.version}" if champion else ""
    line = f"{known} is the champion now: {_told(scores, task.metrics)}{before}; {sentence(gains, task, baseline)}"
    return Verdict(name, version.version, True, rung, scores, line)


def _registered(
    registry: Registry, name: str, bundle: Path, metrics: dict[str, Any], params: Params, root: Path, run_id: str
) -> Version:
    """The version of this bundle, registered now if it was not before; its timings are on its page and in the run."""
    number = registry.version_of(name, digest(bundle))
    if number is None:
        found = timing.measured(root, bundle, params) | {"released": True}
        number = _register(registry, name, bundle, metrics, found, root, run_id)
    else:
        found = _timed(registry, name, number, bundle, params, root)
    version = next(one for one in registry.versions(name) if one.version == number)
    _log_speed(registry, name, found, timing.report(root, bundle, found), run_id)
    return Version(number, {"rung": found["shipped"], **version.tags})


def _timed(registry: Registry, name: str, number: int, bundle: Path, params: Params, root: Path) -> dict[str, Any]:
    """The timings with which a version was released; today's where those cannot be read."""
    try:
        found: dict[str, Any] = json.loads((registry.bundle(name, number) / SPEED_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = {}
    if found.get("released"):
        return found
    tags = next(one.tags for one in registry.versions(name) if one.version == number)
    kept = {"shipped": tags.get("rung"), "shipped_because": tags.get("rung_because")}
    return (
        timing.measured(root, bundle, params)
        | {key: value for key, value in kept.items() if value}
        | {"released": True}
    )


def _register(
    registry: Registry,
    name: str,
    bundle: Path,
    metrics: dict[str, Any],
    found: dict[str, Any],
    root: Path,
    run_id: str,
) -> int:
    """Register the bundle with the timings of its rungs."""
    from components.deployment.speed import write_speed

    for rung, verdict in found["verdicts"].items():
        if not verdict["accepted"]:
            print(f"[release@{name}] {rung} refused: {verdict['reason']}", flush=True)
    metric = read_task(root / "artifacts" / "tasks" / name).metrics[0].name
    tags = {
        "bundle": digest(bundle),
        "corpus": digest(root / "artifacts" / "corpus"),
        "rows": digest(root / "artifacts" / "tasks" / name),
        "rung": found["shipped"],
        "rung_because": found["shipped_because"],
        metric: f"{_scores(metrics, found['shipped'])[metric]:.6f}",
        f"teacher_{metric}": f"{_scores(metrics, 'teacher')[metric]:.6f}",
    }
    with tempfile.TemporaryDirectory() as folder:
        # DVC owns the bundle in artifacts/: what a clock said goes into a copy.
        copy = Path(shutil.copytree(bundle, Path(folder, "bundle")))
        write_speed(copy, found)
        if key := os.environ.get("LIANZI_SIGNING_KEY"):
            sign_bundle(copy, Path(key))
        return registry.register(name, copy, tags, run_id)


def _log_speed(registry: Registry, name: str, found: dict[str, Any], report: Path, run_id: str) -> None:
    run = tracking.TrackedRun(registry.client, run_id)
    run.log_metrics(
        {f"speed/{name}/{key.replace('.', '/')}": value for key, value in flatten(found["speed"]).items()}, 0
    )
    run.log_files(report, f"speed/{name}")
    run.flush()


def _scores(metrics: dict[str, Any], rung: str) -> dict[str, float]:
    """The scores of a rung on the test rows. Raises ArtifactError for one that was not evaluated."""
    from components.evaluation.rungs import system_of

    try:
        return {name: float(value) for name, value in metrics[system_of(rung)].items() if isinstance(value, float)}
    except KeyError:
        raise ArtifactError(f"the rung {rung} was not evaluated", "run `lianzi run`") from None


def _over_baseline(metrics: dict[str, Any], rung: str) -> dict[str, dict[str, float]]:
    """The gain of a rung over the baseline. Raises ArtifactError where an older `evaluate` did not compute it."""
    from components.evaluation.rungs import system_of

    try:
        found: dict[str, dict[str, float]] = metrics["over_baseline"][system_of(rung)]
    except KeyError:
        raise ArtifactError(f"the rung {rung} was not compared with its baseline", "run `lianzi run`") from None
    return found


def _told(scores: dict[str, float], metrics: Sequence[Metric]) -> str:
    """Every metric with its interval."""
    return ", ".join(
        f"{one.title} {scores[one.name]:.4f} ({scores[f'{one.name}_low']:.3f} to {scores[f'{one.name}_high']:.3f})"
        for one in metrics
    )


def refused(
    scores: dict[str, float],
    champion: float | None,
    gains: Mapping[str, Gain],
    config: ReleaseConfig,
    task: Task,
    baseline: str | None = None,
) -> str:
    """The reason why a model may not become champion; empty when it may.

    Scores are by the task's first metric on the test rows, `gains` those over the baseline there:
    the task's own, or the one of this phrase.
    """
    metric = task.metrics[0]
    loss = metric.improvement(scores["shipped"], scores["teacher"])
    if loss > config.max_loss:
        return f"loses {loss:.4f} {metric.title} to its teacher, release.max_loss allows {config.max_loss}"
    if short := shortfall(gains, config.min_gain_over_baseline, task, baseline):
        return f"{short}, release.min_gain_over_baseline asks for {config.min_gain_over_baseline:g}"
    if champion is not None and (gain := metric.improvement(champion, scores["shipped"])) <= config.min_gain:
        return (
            f"{metric.title} {scores['shipped']:.4f} against the champion's {champion:.4f} ({gain:+.4f}), "
            f"release.min_gain asks for more than {config.min_gain}"
        )
    return ""


def champion_score(registry: Registry, name: str, version: int, root: Path) -> float:
    """The present champion's score on today's test rows: a score on other rows would not compare."""
    from components.runtime.bundle import load_bundle

    folder = root / "artifacts" / "tasks" / name
    task = read_task(folder)
    rows = read_split(folder / "test.jsonl", task)
    bundle = registry.bundle(name, version)
    if task.head in GENERATES:
        from components.evaluation.rungs import bundle_rung

        scores = bundle_rung(task, bundle, None)([task.text(row) for row in rows])
        return score(task.metrics[0], task.targets(rows), scores)
    champion = task_of(read_bundle(bundle))
    answers = champion.decode(load_bundle(bundle).logits([task.text(row) for row in rows]))
    # A champion of other days may answer with labels that the task no longer has.
    both = replace(task, labels=tuple(dict.fromkeys([*task.labels, *champion.labels])))
    answered = both.targets([{both.target: value} for value in champion.values(answers)])
    return score(both.metrics[0], both.targets(rows), answered)


def _metrics(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path}: missing, so this bundle was not evaluated", "run `lianzi run`") from None
    return found


def _record(root: Path) -> dict[str, Any]:
    """The remembered state; empty where the file is missing or damaged."""
    try:
        found = json.loads((root / RECORD).read_text(encoding="utf-8"))
        return {"store": str(found["store"]), "bundles": dict(found["bundles"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {"store": "", "bundles": {}}


def _remember(root: Path, name: str, considered: str) -> None:
    """Written under the lock and atomically: a reader never sees an unfinished file."""
    store, record = tracking.tracking_uri(), _record(root)
    bundles = record["bundles"] if record["store"] == store else {}
    partial = (root / RECORD).with_suffix(".partial")
    write_json(partial, {"store": store, "bundles": bundles | {name: considered}})
    partial.replace(root / RECORD)
