"""Release: register a task's bundle in MLflow and decide whether it becomes the champion.

Before it is registered, its rungs are timed in turn on this machine: one that is not faster than the one above is
refused, and the one above shipped (components.deployment.speed). The alias `champion` moves only to a model whose
shipped rung stays within release.max_loss of its teacher and wins more than release.min_gain over the present champion,
both answering the same test rows.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components import tracking
from components.artifacts import digest, read_manifest, write_json
from components.deployment.signing import sign_bundle
from components.errors import ArtifactError
from components.params import Params, ReleaseConfig, flatten, load_params
from components.registry import Registry
from flows import speed

RECORD = Path(".lianzi/released.json")
"""Which bundle was last considered in which store, so that a run with nothing to do need not ask MLflow."""


@dataclass(frozen=True)
class Verdict:
    """What became of a bundle."""

    task: str
    version: int
    champion: bool
    line: str


def task_names(root: Path) -> list[str]:
    """The tasks of params.yaml."""
    return list(load_params(root / "params.yaml").tasks)


def is_current(root: Path) -> bool:
    """Whether the bundles now in artifacts/ have all been considered in the present MLflow store."""
    try:
        record = json.loads((root / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    if record.get("store") != tracking.tracking_uri() or not tracking.store_exists():
        return False
    bundles = {name: root / "artifacts" / name / "bundle" for name in task_names(root)}
    return all(path.is_dir() and record["bundles"].get(name) == digest(path) for name, path in bundles.items())


def release(name: str, root: Path, run_id: str) -> Verdict:
    """Register and judge one bundle. Raises ArtifactError when it is missing or was not evaluated."""
    bundle = root / "artifacts" / name / "bundle"
    read_manifest(bundle, "bundle")
    scores = _scores(root / "metrics" / "evaluate" / f"{name}.json")
    verdict = _judge(name, bundle, scores, load_params(root / "params.yaml"), root, run_id)
    _remember(root, name, digest(bundle))
    return verdict


def _judge(name: str, bundle: Path, metrics: dict[str, Any], params: Params, root: Path, run_id: str) -> Verdict:
    registry = Registry()
    champion = registry.champion(name)
    own = digest(bundle)
    if champion is not None and champion.tags.get("bundle") == own:
        return Verdict(name, champion.version, True, f"{name} v{champion.version} is the champion already")
    version = registry.version_of(name, own)
    if version is None:
        version = _register(registry, name, bundle, metrics, params, root, run_id)
    rung = _rung(registry, name, version, bundle)
    scores = {"teacher": _macro_f1(metrics, "teacher"), "shipped": _macro_f1(metrics, rung)}
    rival = champion_score(registry, name, champion.version, root) if champion else None
    refusal = refused(scores, rival, params.release)
    if refusal:
        return Verdict(name, version, False, f"{name} v{version} ({rung}) registered, not champion: {refusal}")
    registry.set_champion(name, version)
    before = f", before it v{champion.version}" if champion else ""
    line = f"{name} v{version} ({rung}) is the champion now: macro-F1 {scores['shipped']:.4f}{before}"
    return Verdict(name, version, True, line)


def _register(
    registry: Registry, name: str, bundle: Path, metrics: dict[str, Any], params: Params, root: Path, run_id: str
) -> int:
    """Time the rungs, and register the bundle together with what came of it."""
    from components.deployment.speed import write_speed

    found = speed.measured(root, bundle, params)
    for rung, verdict in found["verdicts"].items():
        if not verdict["accepted"]:
            print(f"[release@{name}] {rung} refused: {verdict['reason']}", flush=True)
    scores = {rung: metrics[_system(rung)] for rung in found["ladder"] if _system(rung) in metrics}
    _log_speed(registry, name, found, speed.report(root, found, scores, speed.refused_for_quality(bundle)), run_id)
    tags = {
        "bundle": digest(bundle),
        "corpus": digest(root / "artifacts" / "corpus"),
        "rows": digest(root / "artifacts" / "tasks" / name),
        "rung": found["shipped"],
        "rung_because": found["shipped_because"],
        "macro_f1": f"{_macro_f1(metrics, found['shipped']):.6f}",
        "teacher_macro_f1": f"{_macro_f1(metrics, 'teacher'):.6f}",
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


def _rung(registry: Registry, name: str, version: int, bundle: Path) -> str:
    """The rung a registered version ships."""
    tags = next(found.tags for found in registry.versions(name) if found.version == version)
    return tags.get("rung") or str(read_manifest(bundle, "bundle")["shipped"])


def _system(rung: str) -> str:
    """What `evaluate` calls a rung of the bundle."""
    return "onnx" if rung == "fp32" else rung


def _macro_f1(metrics: dict[str, Any], rung: str) -> float:
    """On the test rows. Raises ArtifactError for a rung that was not evaluated."""
    try:
        return float(metrics[_system(rung)]["macro_f1"])
    except KeyError:
        raise ArtifactError(f"the rung {rung} was not evaluated", "run `lianzi run`") from None


def refused(scores: dict[str, float], champion: float | None, config: ReleaseConfig) -> str:
    """Why a model may not become champion; empty when it may. Scores are macro-F1 on the test rows."""
    loss = scores["teacher"] - scores["shipped"]
    if loss > config.max_loss:
        return f"loses {loss:.4f} macro-F1 to its teacher, release.max_loss allows {config.max_loss}"
    if champion is not None and scores["shipped"] - champion <= config.min_gain:
        gain = scores["shipped"] - champion
        return (
            f"macro-F1 {scores['shipped']:.4f} against the champion's {champion:.4f} ({gain:+.4f}), "
            f"release.min_gain asks for more than {config.min_gain}"
        )
    return ""


def champion_score(registry: Registry, name: str, version: int, root: Path) -> float:
    """The present champion's macro-F1 on today's test rows: what it had on other rows would prove nothing."""
    from components.deployment.serving import load_bundle
    from components.evaluation.metrics import macro_f1

    rows = [
        json.loads(line)
        for line in (root / f"artifacts/tasks/{name}/test.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    answers = load_bundle(registry.bundle(name, version)).predict([row["text"] for row in rows])
    actual, predicted = [row["label"] for row in rows], [answer.label for answer in answers]
    return float(macro_f1(actual, predicted, sorted({*actual, *predicted})))


def _scores(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path}: missing, so this bundle was not evaluated", "run `lianzi run`") from None
    return found


def _remember(root: Path, name: str, bundle: str) -> None:
    path = root / RECORD
    record: dict[str, Any] = {"store": tracking.tracking_uri(), "bundles": {}}
    if path.is_file():
        former = json.loads(path.read_text(encoding="utf-8"))
        if former.get("store") == record["store"]:
            record = former
    record["bundles"][name] = bundle
    write_json(path, record)
