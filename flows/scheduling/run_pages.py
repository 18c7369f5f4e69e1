"""What a run leaves in Prefect: a table of its stages, a ladder a task, links to MLflow and to the pages."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components import tracking
from components.errors import first_line
from components.tasks.kinds import METRICS
from flows.quoted import without_data
from flows.summary import StageResult

UI = "http://127.0.0.1:5000"
"""MLflow's address under `lianzi ui`, for a store that is a file."""


def publish(
    folder: Path,
    run: tracking.TrackedRun,
    results: Sequence[StageResult],
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger],
) -> None:
    """Make the artifacts of a flow run. No result depends on them: a failure is a warning."""
    from prefect.artifacts import create_markdown_artifact, create_table_artifact

    project = slug(folder.name)
    try:
        create_table_artifact(stage_rows(results), key=f"{project}-stages", description="State of every stage")
        for name, rows in ladders(folder).items():
            text = f"Test rows of {name}; gain as the next page has it: reports/evaluate/{name}/index.html"
            create_table_artifact(rows, key=f"{project}-ladder-{slug(name)}", description=text)
        create_markdown_artifact(links(folder, run), key=f"{project}-links", description="Where to look")
    except Exception as error:
        logger.warning(f"no artifacts of this run: {first_line(error)[:200]}")


def slug(name: str) -> str:
    """A name as Prefect takes it in an artifact's key: small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "project"


def stage_rows(results: Sequence[StageResult]) -> list[dict[str, Any]]:
    """A row a stage: state, seconds, key metric or reason, which quotes no data."""
    return [
        {
            "stage": result.name,
            "state": result.state,
            "seconds": round(result.seconds, 1),
            "metric": result.metric[0] if result.metric else "",
            "value": result.metric[1] if result.metric else "",
            "reason": without_data(result.reason),
        }
        for result in results
    ]


def ladders(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Task -> a row a rung, from metrics/evaluate: its first metric with the interval, and its size."""
    return {
        path.stem: rows
        for path in sorted((folder / "metrics" / "evaluate").glob("*.json"))
        if (rows := _ladder(json.loads(path.read_text(encoding="utf-8"))))
    }


def _ladder(found: dict[str, Any]) -> list[dict[str, Any]]:
    sizes = found.get("size_megabytes", {})
    rows = []
    for rung, scores in found.items():
        metric = next((name for name in METRICS if isinstance(scores, dict) and name in scores), None)
        if metric is None or f"{metric}_low" not in scores:
            continue
        low, high = scores[f"{metric}_low"], scores[f"{metric}_high"]
        row = {"rung": rung, metric: scores[metric], "95 % interval": f"{low:.4g} to {high:.4g}"}
        rows.append(row | {"megabytes": sizes.get(rung, "")})
    return rows


def run_address(run_id: str) -> str:
    """The page of a run in MLflow, without a password."""
    uri = tracking.tracking_uri()
    base = tracking.without_password(uri).rstrip("/") if uri.startswith("http") else UI
    return f"{base}/#/experiments/{tracking.connect().get_run(run_id).info.experiment_id}/runs/{run_id}"


def links(folder: Path, run: tracking.TrackedRun) -> str:
    """Markdown: the run in MLflow, and the pages that exist."""
    address = run_address(run.id)
    shown = [
        f"- `{path.relative_to(folder)}`"
        for part in ("model", "evaluate", "speed", "validation", "curation", "tokenizer")
        for path in sorted((folder / "reports" / part).rglob("index.html"))
    ]
    note = " (`lianzi ui` serves it)" if address.startswith(UI) else ""
    lines = [f"[This run in MLflow]({address}){note}", ""]
    return "\n".join([*lines, f"Pages in `{folder}`:", "", *shown] if shown else lines)
