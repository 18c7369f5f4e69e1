"""The record of runs in MLflow, which this package, `components.registry` and `components.pyfunc` alone import."""

from components.tracking.headlines import read_metrics, shipped_headlines
from components.tracking.inputs import dvc_hashes, read_lock
from components.tracking.revision import GIT_TAGS, run_name
from components.tracking.runs import (
    PARENT_VARIABLE,
    curve_in,
    nested_run,
    pipeline_run,
    restored_run,
    resumable_run,
    run_inside,
    stage_run,
    sweep,
    tell_what_came_of_it,
)
from components.tracking.store import (
    EXPERIMENT,
    connect,
    project_root,
    sqlite_path,
    store_exists,
    store_name,
    tracking_uri,
    without_password,
)
from components.tracking.tracked_run import TrackedRun, metric_name

__all__ = [
    "EXPERIMENT",
    "GIT_TAGS",
    "PARENT_VARIABLE",
    "TrackedRun",
    "connect",
    "curve_in",
    "dvc_hashes",
    "metric_name",
    "nested_run",
    "pipeline_run",
    "project_root",
    "read_lock",
    "read_metrics",
    "restored_run",
    "resumable_run",
    "run_inside",
    "run_name",
    "shipped_headlines",
    "sqlite_path",
    "stage_run",
    "store_exists",
    "store_name",
    "sweep",
    "tell_what_came_of_it",
    "tracking_uri",
    "without_password",
]
