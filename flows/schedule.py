"""`lianzi schedule`: a deployment of this project on a Prefect server, beside those of other projects."""

from __future__ import annotations

import hashlib
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from components.errors import ServiceError
from flows.settings import project_root, ready_project

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

FLOW = "pipeline"
PREFECT_FILE = "infra/prefect.yaml"
SECONDS_TO_SCHEDULE = 60
"""The time limit for the server's scheduler to create the first runs: it runs every few seconds."""


@click.command("schedule")
@click.option("--pool", default="local", show_default=True, help="The work pool of its workers; created if necessary.")
def command(pool: str) -> None:
    """Deploy the project on the Prefect server at PREFECT_API_URL, to run as infra/prefect.yaml says: every night.

    A worker on this machine carries the runs out: prefect worker start --pool local
    """
    schedule_project(project_root(), pool)


def schedule_project(root: Path, pool: str) -> None:
    """Deploy the project by infra/prefect.yaml, and print its next run. Raises LianziError."""
    from prefect.client.orchestration import get_client

    console = Console(highlight=False, soft_wrap=True)
    ready_project(root)
    require_server()
    with get_client(sync_client=True) as client:
        if pool not in {there.name for there in client.read_work_pools()}:
            _prefect("work-pool", "create", pool, "--type", "process")
            console.print(f"made the work pool {pool}")
        project = this_project()
        _prefect("deploy", "--prefect-file", PREFECT_FILE, "--pool", pool)
        deployment = client.read_deployment_by_name(f"{FLOW}/{project['deployment']}")
        console.print(f"{FLOW}/{deployment.name} runs {project['folder']} on {project['host']}")
        for line in _next_runs(client, deployment):
            console.print(line)
        if not any(worker.status == "ONLINE" for worker in client.read_workers_for_work_pool(pool)):
            console.print(f"No worker carries it out yet: prefect worker start --pool {shlex.quote(pool)}")


def this_project() -> dict[str, str]:
    """A build step of infra/prefect.yaml: a name and a tag that identify the project in the working directory."""
    folder, host = Path.cwd(), socket.gethostname()
    return {
        "host": host,
        "folder": str(folder),
        "deployment": deployment_name(folder.name, f"{host}:{folder}", _deployments()),
        "command": shlex.join([sys.executable, "-m", "prefect.engine"]),
    }


def deployment_name(folder: str, place: str, there: Mapping[str, Sequence[str]]) -> str:
    """`nightly-FOLDER`, with six more letters where a project in another path has that name.

    `there`: the tags of each deployment on the server; one of them is the path of its project.
    """
    short = "nightly-" + re.sub(r"[^\w.-]+", "-", folder)
    long = f"{short}-{hashlib.sha256(place.encode()).hexdigest()[:6]}"
    ours = [name for name in (short, long) if place in there.get(name, ())]
    return (ours or [name for name in (short, long) if name not in there] or [long])[0]


def require_server() -> None:
    """Raises ServiceError where no Prefect server is configured, or it does not answer."""
    from prefect.client.orchestration import get_client
    from prefect.settings import get_current_settings

    address = get_current_settings().api.url
    if not address:
        raise ServiceError(
            "no Prefect server is configured, and a temporary server schedules nothing",
            "start one (`prefect server start`), then export PREFECT_API_URL=http://127.0.0.1:4200/api",
        )
    with get_client(sync_client=True) as client:
        if client.api_healthcheck() is not None:
            raise ServiceError(f"Prefect ({address}) does not answer", "start it with `prefect server start`")


def _deployments() -> dict[str, list[str]]:
    """The tags of each deployment of the pipeline on the server."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName

    wanted = FlowFilter(name=FlowFilterName(any_=[FLOW]))
    found: dict[str, list[str]] = {}
    with get_client(sync_client=True) as client:
        while page := client.read_deployments(flow_filter=wanted, limit=200, offset=len(found)):
            found |= {deployment.name: deployment.tags for deployment in page}
    return found


def _next_runs(client: SyncPrefectClient, deployment: DeploymentResponse) -> list[str]:
    """The time of the deployment's next run. Raises ServiceError where none is scheduled."""
    if deployment.paused or not any(schedule.active for schedule in deployment.schedules):
        return ["Its schedule is paused."]
    deadline = time.monotonic() + SECONDS_TO_SCHEDULE
    while not (runs := _scheduled(client, deployment)):
        if time.monotonic() > deadline:
            raise ServiceError(
                f"the server has scheduled no run of {deployment.name} in {SECONDS_TO_SCHEDULE} s",
                "its scheduler does not work: the server's log says why (`lianzi ui`: .lianzi/prefect.log)",
            )
        time.sleep(0.5)
    return [f"next: {run.expected_start_time:%Y-%m-%d %H:%M %Z}" for run in runs]


def _scheduled(client: SyncPrefectClient, deployment: DeploymentResponse) -> list[Any]:
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort

    return client.read_flow_runs(
        flow_run_filter=filters.FlowRunFilter(
            deployment_id=filters.FlowRunFilterDeploymentId(any_=[deployment.id]),
            state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        ),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
        limit=3,
    )


def _prefect(*words: str) -> None:
    """Run a Prefect command in the project. Raises ServiceError with its last lines."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()][-3:]
        raise ServiceError(f"`prefect {' '.join(words)}` failed: {' '.join(last)}", f"mend {PREFECT_FILE}")
