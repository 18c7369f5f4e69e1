"""Prefect's assets: the outputs of a stage, which its node materializes from those of other stages.

The API and its rules: https://docs.prefect.io/v3/concepts/assets
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from prefect import Task, task
from prefect.assets import Asset, add_asset_metadata, materialize
from prefect.context import AssetContext

from components import tracking
from components.errors import first_line
from flows.graph import Stage
from flows.quoted import without_data
from flows.scheduling.run_pages import run_address

TOOL = "dvc"
"""What materializes, for Prefect: a related resource of the event."""
FAILED = "failed"
_NOT_IN_KEYS = re.compile(r"[^\w./@-]+")
_ENTRY = r"^  {}:\n((?:   .*\n|\n)+)"
_MOST_REASON = 500


def asset_key(root: Path, path: str) -> str:
    """The key of an output: `lianzi://PROJECT/PATH`, the same on every machine whose folder has the project's name."""
    return f"lianzi://{_fit(root.name)}/{_fit(path)}"


def node(function: Callable[..., Any], stage: Stage, root: Path, **options: Any) -> Task[..., Any]:
    """A task called like the stage, which materializes the stage's outputs; where it has none, a plain one."""
    named = {"name": stage.name, "task_run_name": stage.name, **options}
    if not stage.writes:
        return task(**named)(function)
    sources: list[Asset | str] = [asset_key(root, path) for path in stage.reads]
    return materialize(*(asset_key(root, path) for path in stage.writes), by=TOOL, asset_deps=sources, **named)(
        function
    )


def describe_assets(
    stage: Stage,
    root: Path,
    run: str,
    told: Mapping[str, Any],
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger],
) -> None:
    """Add metadata to the assets of the stage: `told`, its run in MLflow, which is inside `run`, and DVC's hashes.

    To be called within the task of `node`. No result depends on it: a failure is a warning.
    """
    context = AssetContext.get()
    if context is None or not stage.writes:
        return
    # Prefect infers every output of the stages that a task waits for; a stage reads some, which are its `asset_deps`.
    context.upstream_assets.clear()
    try:
        shared = {"stage": stage.name, **told} | _run_in_mlflow(stage, run, str(told["outcome"]))
        outs = {} if told["outcome"] == FAILED else locked_outs(root, stage.name)
        for path in stage.writes:
            add_asset_metadata(asset_key(root, path), shared | outs.get(path, {}))
    except Exception as error:
        logger.warning(f"no metadata of its assets: {first_line(error)[:200]}")


def _run_in_mlflow(stage: Stage, run: str, outcome: str) -> dict[str, str]:
    # What was restored has its run when the pipeline ends.
    found = tracking.run_inside(run, stage.name) if outcome in ("ran", FAILED) else None
    return {"mlflow_run": run_address(found)} if found else {}


def failed(reason: str) -> dict[str, str]:
    """What is told of a stage that failed, without what it quotes of the data."""
    return {"outcome": FAILED, "reason": without_data(reason)[:_MOST_REASON]}


def locked_outs(root: Path, stage: str) -> dict[str, dict[str, Any]]:
    """Output -> `dvc_hash`, `bytes`, and of a folder `files`, as dvc.lock has them for a stage.

    Only the lines of this stage are parsed: of the whole file it takes a third of a second.
    """
    from ruamel.yaml import YAML

    lines = (root / "dvc.lock").read_text(encoding="utf-8")
    found = re.search(_ENTRY.format(re.escape(stage)), lines, re.MULTILINE)
    entry = YAML(typ="safe").load(found[1]) if found else {}
    names = {"md5": "dvc_hash", "size": "bytes", "nfiles": "files"}
    return {out["path"]: {new: out[old] for old, new in names.items() if old in out} for out in entry.get("outs", [])}


def _fit(text: str) -> str:
    return _NOT_IN_KEYS.sub("-", text)
