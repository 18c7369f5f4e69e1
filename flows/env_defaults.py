"""Environment variables that must be set before Prefect, MLflow or DVC is imported."""

from __future__ import annotations

import os
import sys
from pathlib import Path

DEFAULTS = {
    # Nothing phones home.
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # MLflow's server would run nine more processes, 1.5 GB in all, for jobs that judge agents.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    # A bar for each small file that a command reads: `lianzi gc` drew one a run.
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Prefect's page keeps the whole log; the terminal shows our own lines.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    # The temporary server makes its database on the very first run: 17 s were seen.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_CLI_PROMPT": "false",
}

OF_A_SERVER = {
    # Its log is the only place for its errors.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
    # A server that is killed knows again who runs: without this, a run that lasts over its restart is ended.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    # Runs with their logs leave the database after 30 days, not never.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": "2592000",
}
"""Set for a server that this project starts."""


def prepare() -> None:
    """Set the variables that are not set, and put this Python first on PATH, since dvc.yaml says `python`."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    own = str(Path(sys.executable).parent)
    if os.environ.get("PATH", "").split(os.pathsep)[0] != own:
        os.environ["PATH"] = os.pathsep.join([own, os.environ.get("PATH", "")])
