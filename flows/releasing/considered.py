"""Which bundles a release has considered, by which limits and in which store: known without MLflow."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from components import tracking
from components.artifacts import digest, file_hash
from components.deployment.config import ReleaseConfig
from components.params import load_params
from components.replacing import replace_json
from flows import timing
from flows.releasing.behaviour import analysis_metrics, asked

REPORTS = Path("reports/release")
"""A page a task with what every gate said: beside the champion, which is the registry's and so no output of DVC."""
RECORD = Path(".lianzi/released.json")
"""The last bundle considered, with its limits and store: a run with nothing to do does not query MLflow."""


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
        and record["bundles"].get(name) == considered(path, params.release, analysed(root, name, params.release))
        and timing.reported(root, name, path) is not None
        and (root / REPORTS / name / "index.html").is_file()
        for name, path in bundles.items()
    )


def considered(bundle: Path, limits: ReleaseConfig, analysis: str = "") -> str:
    """The inputs of a verdict: with other limits, or another analysis where a limit is on it, it may differ."""
    return hashlib.sha256(f"{digest(bundle)} {limits.model_dump_json()}{analysis}".encode()).hexdigest()


def analysed(root: Path, name: str, limits: ReleaseConfig) -> str:
    """The hash of what `analyze` found; empty where no gate looks at it."""
    path = root / analysis_metrics(name)
    return file_hash(path) if asked(limits) and path.is_file() else ""


def remember(root: Path, name: str, inputs: str) -> None:
    """Note what `considered` gave for a task's bundle. Written under the lock of a release."""
    store, record = tracking.tracking_uri(), _record(root)
    bundles = record["bundles"] if record["store"] == store else {}
    replace_json(root / RECORD, {"store": store, "bundles": bundles | {name: inputs}})


def _record(root: Path) -> dict[str, Any]:
    """The remembered state; empty where the file is missing or damaged."""
    try:
        found = json.loads((root / RECORD).read_text(encoding="utf-8"))
        return {"store": str(found["store"]), "bundles": dict(found["bundles"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {"store": "", "bundles": {}}
