"""Logs results to MLflow that this machine did not compute: restored from a cache, pulled, applied, or found unchanged.

A result must be in MLflow for comparison, however it became up to date. Its entry in dvc.lock identifies it: the data,
the parameters and the outputs. A result without a run gets one, from its parameters in dvc.lock, its metrics and curves
in metrics/, and its pages in reports/.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import tracking
from components.artifacts import MANIFEST, file_hash, write_json
from components.errors import first_line
from flows.results import Result, read_results
from flows.ties import tie_together

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

NOTE = Path(".lianzi/recorded.json")
"""The dvc.lock and the store of the last comparison, so that a run with nothing to do does not query MLflow."""

RELEASED = Path(".lianzi/released.json")

RESULT_TAG = "lianzi.result"
RESTORED_TAG = "lianzi.restored"


def is_current(root: Path) -> bool:
    """Whether MLflow has the results now in dvc.lock. Fast: neither MLflow nor the network is used."""
    try:
        return bool(json.loads((root / NOTE).read_text(encoding="utf-8")) == _note(root)) and tracking.store_exists()
    except (FileNotFoundError, ValueError):
        return False


def record_missing(root: Path, parent: str | None = None) -> int:
    """Create a run for each result without one in MLflow, inside `parent` or else inside a new run. Returns their
    number.

    Where the store refuses them, a line says so, and the next call tries again.
    """
    if is_current(root):
        return 0
    results, whole = read_results(root)
    if not results:
        return 0
    try:
        client = tracking.connect()
        experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
        assert experiment is not None
        tracked = set(tracking.dvc_hashes())
        known = {result.name: _known_run(client, experiment.experiment_id, result, tracked) for result in results}
        missing = [result for result in results if known[result.name] is None]
        if missing and parent is None:
            name = f"restored: {tracking.run_name()}"
            with tracking.pipeline_run(name, {"lianzi.driver": "restored", RESTORED_TAG: "true"}) as run:
                made = _record(missing, root)
                tracking.tell_what_came_of_it(run, [result.name for result in results], root)
        else:
            made = _record(missing, root)
        runs = {name: run_id for name, run_id in known.items() if run_id} | made
    # MLflow hands on whatever the store's driver raises, and no result depends on it.
    except Exception as error:
        print(f"MLflow has no record of results that were up to date: {first_line(error)}", file=sys.stderr)
        return 0
    try:
        tie_together(client, results, runs, root, parent)
    except Exception as error:
        told = f"{first_line(error)}; the next run tries again"
        print(f"MLflow has every run, but not all models and descriptions: {told}", file=sys.stderr)
        return len(missing)
    if whole:
        write_json(root / NOTE, _note(root))
    return len(missing)


def _note(root: Path) -> dict[str, Any]:
    """The identity of the comparison: this lock file and this store. A recreated database is another store."""
    database = tracking.sqlite_path(tracking.tracking_uri())
    lock = root / "dvc.lock"
    return {
        "store": tracking.store_name(),
        "database": database.stat().st_ino if database is not None and database.is_file() else None,
        "lock": file_hash(lock) if lock.is_file() else None,
        # Models need the rows, and a release and its timings add to them.
        "rows": sorted(path.parent.name for path in root.glob(f"artifacts/tasks/*/{MANIFEST}")),
        "speed": {path.parent.name: file_hash(path) for path in sorted(root.glob("reports/speed/*/speed.json"))},
        "released": file_hash(root / RELEASED) if (root / RELEASED).is_file() else None,
    }


def _known_run(client: MlflowClient, experiment: str, result: Result, tracked: set[str]) -> str | None:
    """The finished run that MLflow has of this result, or None; a run of the stage itself is tagged with it.

    `tracked`: the paths that DVC hashes.
    """
    places = [experiment]
    if found := client.search_runs(places, f"tags.`{RESULT_TAG}` = '{result.key}'", max_results=1):
        return str(found[0].info.run_id)
    own = f"attributes.run_name = '{result.name}' and attributes.status = 'FINISHED'"
    for run in client.search_runs(places, own, max_results=50, order_by=["attributes.end_time DESC"]):
        if RESULT_TAG not in run.data.tags and _is_of(run, result, tracked):
            client.set_tag(run.info.run_id, RESULT_TAG, result.key)
            return str(run.info.run_id)
    return None


def _is_of(run: Run, result: Result, tracked: set[str]) -> bool:
    """Whether a run has the metrics, parameters and inputs of the result."""
    metrics = {
        tracking.metric_name(name): value
        for name, value in tracking.read_metrics(result.metrics).items()
        if isinstance(value, int | float)
    }
    datasets = run.inputs.dataset_inputs if run.inputs else []
    inputs = {item.dataset.name: item.dataset.digest for item in datasets}
    deps = {dep["path"]: str(dep.get("md5", ""))[:36] for dep in result.entry.get("deps", [])}
    return (
        all(run.data.metrics.get(name) == value for name, value in metrics.items())
        and all(_same(run.data.params[key], value) for key, value in result.params.items() if key in run.data.params)
        and all(inputs[name] == deps[name] for name in inputs.keys() & deps.keys() & tracked)
    )


def _same(tracked: str, value: Any) -> bool:
    """Whether a parameter in MLflow equals the one in dvc.lock, where an integer may stand for a float."""
    import ast

    if tracked == str(value):
        return True
    try:
        return bool(_plain(ast.literal_eval(tracked)) == _plain(value))
    except (ValueError, SyntaxError):
        return False


def _plain(value: Any) -> Any:
    if isinstance(value, int | float):
        return float(value)
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _record(missing: list[Result], root: Path) -> dict[str, str]:
    """Create the runs. Returns stage -> id."""
    made = {}
    for result in missing:
        paths = [Path(dep["path"]) for dep in result.entry.get("deps", [])]
        tags = {RESULT_TAG: result.key, RESTORED_TAG: "true"}
        with tracking.restored_run(result.name, result.params, paths, tags) as run:
            for step, metrics in _curves(result.curves):
                run.log_metrics(metrics, step)
            run.log_result(json.loads(result.metrics.read_text(encoding="utf-8")))
            for page in result.pages:
                if (root / page).is_dir():
                    run.log_files(root / page, page.parts[1])
            if result.curves is not None:
                run.log_files(result.curves, "curves")
        made[result.name] = run.id
        print(f"[{result.name}] up to date without running here: recorded in MLflow", flush=True)
    return made


def _curves(path: Path | None) -> list[tuple[int, dict[str, float]]]:
    """The step metrics of a CSV file; none for a table of something else."""
    if path is None:
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream)
        if "step" not in (rows.fieldnames or ()):
            return []
        return [
            (int(row["step"]), {name: float(text) for name, text in row.items() if name != "step" and text})
            for row in rows
        ]
