"""A project's deployments on a Prefect server: their names beside those of other projects, and the work pools."""

from __future__ import annotations

import hashlib
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from components.errors import ServiceError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

PREFECT_FILE = "infra/prefect.yaml"


def place_of(folder: Path) -> str:
    """The host and folder of a project: a tag of its deployments."""
    return f"{socket.gethostname()}:{folder}"


def engine_command() -> str:
    """The command of a flow run: the project's own Python, whichever project the worker was started in."""
    return shlex.join([sys.executable, "-m", "prefect.engine"])


def deployment_name(folder: str, place: str, there: Mapping[str, Sequence[str]], kind: str = "nightly") -> str:
    """`KIND-FOLDER`, with six more letters where a project in another path has that name.

    `there`: the tags of each deployment on the server; one of them is the path of its project.
    """
    short = f"{kind}-" + re.sub(r"[^\w.-]+", "-", folder)
    long = f"{short}-{hashlib.sha256(place.encode()).hexdigest()[:6]}"
    ours = [name for name in (short, long) if place in there.get(name, ())]
    return (ours or [name for name in (short, long) if name not in there] or [long])[0]


def deployment_tags(flow: str) -> dict[str, list[str]]:
    """The tags of each deployment of a flow on the server."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName

    wanted = FlowFilter(name=FlowFilterName(any_=[flow]))
    found: dict[str, list[str]] = {}
    with get_client(sync_client=True) as client:
        while page := client.read_deployments(flow_filter=wanted, limit=200, offset=len(found)):
            found |= {deployment.name: deployment.tags for deployment in page}
    return found


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


def make_pool(client: SyncPrefectClient, pool: str) -> bool:
    """Create a work pool of processes where none has the name; says whether it did. Raises ServiceError."""
    if pool in {there.name for there in client.read_work_pools()}:
        return False
    call_prefect("work-pool", "create", pool, "--type", "process")
    return True


def has_worker(client: SyncPrefectClient, pool: str) -> bool:
    """Whether a worker of the pool has sent a heartbeat lately."""
    return any(worker.status == "ONLINE" for worker in client.read_workers_for_work_pool(pool))


def start_worker(pool: str) -> str:
    """The command that starts a worker."""
    return f"prefect worker start --pool {shlex.quote(pool)}"


def call_prefect(*words: str) -> None:
    """Run a Prefect command in the project. Raises ServiceError with its last lines."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()][-3:]
        raise ServiceError(f"`prefect {' '.join(words)}` failed: {' '.join(last)}", f"mend {PREFECT_FILE}")
