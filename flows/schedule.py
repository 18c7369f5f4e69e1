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
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from components.errors import ParameterError, ServiceError
from flows.scheduling.automations import automate
from flows.scheduling.notices import block_id
from flows.settings import project_root, ready_project, what_if

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.client.schemas.schedules import CronSchedule

FLOW = "pipeline"
PREFECT_FILE = "infra/prefect.yaml"
NIGHTLY, ON_NEW_DATA, WATCH = "nightly", "on-new-data", "watch"
"""The slugs of the schedules."""
SECONDS_TO_SCHEDULE = 60
"""The time limit for the server's scheduler to create the first runs: it runs every few seconds."""


@click.command("schedule")
@click.option("--pool", default="local", show_default=True, help="The work pool of its workers; created if necessary.")
@click.option("--cron", metavar="CRON", help="When to run, in UTC (default: infra/prefect.yaml's, every night).")
@click.option(
    "--on-new-data",
    "minutes",
    type=click.IntRange(1),
    metavar="MINUTES",
    help="Look for new data this often, and run where there is.",
)
@click.option(
    "--watch",
    "watch_minutes",
    type=click.IntRange(1),
    metavar="MINUTES",
    help="Look this often at what servers were asked, as `lianzi watch` does, and follow it as watch.act says.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Parameters of these runs alone; may be given several times.",
)
@click.option(
    "--stage-minutes", type=click.FloatRange(0, min_open=True), help="End a stage that takes longer (default: never)."
)
@click.option("--notify", metavar="BLOCK", help="A Prefect block, TYPE/NAME, that tells of failures and releases.")
def command(pool: str, **plan: Any) -> None:
    """Deploy the project on the Prefect server at PREFECT_API_URL, to run as infra/prefect.yaml says: every night.

    The deployment is what the last call says. A worker carries the runs out: prefect worker start --pool local
    """
    schedule_project(project_root(), pool, Plan(**plan))


@dataclass(frozen=True)
class Plan:
    """What differs from infra/prefect.yaml: the cron, minutes between two looks for new data, and between two at what
    servers were asked; what a run gets: KEY=VALUE settings, the longest time of a stage, the block that sends messages.
    """

    cron: str | None = None
    minutes: int | None = None
    watch_minutes: int | None = None
    settings: tuple[str, ...] = ()
    stage_minutes: float | None = None
    notify: str | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """Of the flow, where they are not its defaults."""
        given = {"settings": list(self.settings), "stage_minutes": self.stage_minutes, "notify": self.notify}
        return {name: value for name, value in given.items() if value}


def schedule_project(root: Path, pool: str, plan: Plan) -> None:
    """Deploy the project by infra/prefect.yaml and `plan`, and print its next run. Raises LianziError."""
    from prefect.client.orchestration import get_client

    console = Console(highlight=False, soft_wrap=True)
    ready_project(root)
    what_if(root / "params.yaml", plan.settings)
    schedules = _checked_cron(plan)
    require_server()
    block = block_id(plan.notify) if plan.notify else None
    with get_client(sync_client=True) as client:
        if pool not in {there.name for there in client.read_work_pools()}:
            _prefect("work-pool", "create", pool, "--type", "process")
            console.print(f"made the work pool {pool}")
        project = this_project()
        _prefect("deploy", "--prefect-file", PREFECT_FILE, "--pool", pool)
        name = f"{FLOW}/{project['deployment']}"
        deployment = client.read_deployment_by_name(name)
        _plan_runs(client, deployment, plan, schedules)
        automate(client, deployment.id, deployment.name, block)
        deployment = client.read_deployment_by_name(name)
        console.print(f"{FLOW}/{deployment.name} runs {project['folder']} on {project['host']}")
        for line in _next_runs(client, deployment):
            console.print(line)
        if not any(worker.status == "ONLINE" for worker in client.read_workers_for_work_pool(pool)):
            console.print(f"No worker carries it out yet: prefect worker start --pool {shlex.quote(pool)}")


def _checked_cron(plan: Plan) -> CronSchedule | None:
    """The schedule of --cron. Raises ParameterError where it means no time."""
    from prefect.client.schemas.schedules import CronSchedule

    try:
        return CronSchedule(cron=plan.cron, timezone="UTC") if plan.cron is not None else None
    except ValueError:
        raise ParameterError(
            f"--cron {plan.cron!r}: not a cron expression", "for example '0 2 * * *': every night at two, in UTC"
        ) from None


def _plan_runs(
    client: SyncPrefectClient, deployment: DeploymentResponse, plan: Plan, cron: CronSchedule | None
) -> None:
    """Give the deployment the plan's schedules, in place of those of infra/prefect.yaml."""
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import IntervalSchedule

    if plan == Plan():
        return
    wanted = [
        DeploymentScheduleCreate(
            schedule=cron if cron is not None and there.slug == NIGHTLY else there.schedule,
            active=there.active,
            parameters=there.parameters | plan.parameters,
            slug=there.slug,
        )
        for there in deployment.schedules
    ]
    looks = ((plan.minutes, "only_on_new_data", ON_NEW_DATA), (plan.watch_minutes, "only_on_drift", WATCH))
    for minutes, parameter, slug in looks:
        if minutes is not None:
            every = IntervalSchedule(interval=timedelta(minutes=minutes))
            given = plan.parameters | {parameter: True}
            wanted.append(DeploymentScheduleCreate(schedule=every, active=True, parameters=given, slug=slug))
    for there in deployment.schedules:
        client.delete_deployment_schedule(deployment.id, there.id)
    client.create_deployment_schedules(deployment.id, wanted)


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
