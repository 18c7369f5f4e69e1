"""`lianzi schedule`: a deployment of this project on a Prefect server, beside those of other projects."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from components.errors import ParameterError, ServiceError
from components.variables import GPU_POOL
from flows.scheduling.automations import automate
from flows.scheduling.deployments import (
    PREFECT_FILE,
    call_prefect,
    deployment_name,
    deployment_tags,
    engine_command,
    has_worker,
    make_pool,
    place_of,
    require_server,
    start_worker,
)
from flows.scheduling.gpu_pool import deploy_stage_runs
from flows.scheduling.notices import block_id
from flows.settings import project_root, ready_project, what_if

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.client.schemas.schedules import CronSchedule

FLOW = "pipeline"
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
@click.option(
    "--gpu-pool",
    default="",
    metavar="POOL",
    envvar=GPU_POOL,
    show_envvar=True,
    help="The work pool whose workers train; created if necessary (default: the run trains by itself).",
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
    gpu_pool: str = ""

    @property
    def parameters(self) -> dict[str, Any]:
        """Of the flow, where they are not its defaults."""
        given = {
            "settings": list(self.settings),
            "stage_minutes": self.stage_minutes,
            "notify": self.notify,
            "gpu_pool": self.gpu_pool,
        }
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
        for name in dict.fromkeys((pool, plan.gpu_pool)):
            if name and make_pool(client, name):
                console.print(f"made the work pool {name}")
        project = this_project()
        call_prefect("deploy", "--prefect-file", PREFECT_FILE, "--pool", pool)
        name = f"{FLOW}/{project['deployment']}"
        deployment = client.read_deployment_by_name(name)
        _plan_runs(client, deployment, plan, schedules)
        automate(client, deployment.id, deployment.name, block)
        deployment = client.read_deployment_by_name(name)
        console.print(f"{FLOW}/{deployment.name} runs {project['folder']} on {project['host']}")
        for line in _next_runs(client, deployment):
            console.print(line)
        if not has_worker(client, pool):
            console.print(f"No worker carries it out yet: {start_worker(pool)}")
        if plan.gpu_pool:
            deploy_stage_runs(client, plan.gpu_pool, root)
            console.print(f"trainings run in the work pool {plan.gpu_pool}")
            if not has_worker(client, plan.gpu_pool):
                console.print(f"No worker trains yet: {start_worker(plan.gpu_pool)} --limit 1")


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
    folder = Path.cwd()
    return {
        "host": socket.gethostname(),
        "folder": str(folder),
        "deployment": deployment_name(folder.name, place_of(folder), deployment_tags(FLOW)),
        "command": engine_command(),
    }


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
