"""A bundle as a version in the registry: registered once, with the timings it was released on."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components import tracking
from components.artifacts import digest
from components.params import Params, flatten
from components.registry import Registry, Version
from components.runtime.manifest import SPEED_FILE
from components.runtime.signing import sign_bundle
from components.tasks.rows import read_task
from flows import timing
from flows.releasing.evidence import Candidate, scores_of


def registered(
    registry: Registry, name: str, bundle: Path, metrics: Mapping[str, Any], params: Params, root: Path, run_id: str
) -> Candidate:
    """The version of this bundle, registered now if it was not before; its timings are on its page and in the run."""
    number = registry.version_of(name, digest(bundle))
    if number is None:
        found = timing.measured(root, bundle, params) | {"released": True}
        number = _register(registry, name, bundle, metrics, found, root, run_id)
    else:
        found = _timed(registry, name, number, bundle, params, root)
    version = next(one for one in registry.versions(name) if one.version == number)
    _log_speed(registry, name, found, timing.report(root, bundle, found), run_id)
    return Candidate(root, name, Version(number, {"rung": found["shipped"], **version.tags}), bundle, metrics, found)


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
    metrics: Mapping[str, Any],
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
        metric: f"{scores_of(metrics, found['shipped'])[metric]:.6f}",
        f"teacher_{metric}": f"{scores_of(metrics, 'teacher')[metric]:.6f}",
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
