"""Trainings on a work pool of their own: each is a flow run of a deployment of one stage, for a worker there."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from components import tracking
from components.errors import first_line
from components.lease import signed_at
from components.variables import gpu_wait_seconds
from flows.dvc_repro import KILLED, TIMED_OUT, TRANSIENT, UNREACHABLE
from flows.scheduling.automations import HEARTBEAT_SECONDS, automate
from flows.scheduling.deployments import (
    deployment_name,
    deployment_tags,
    engine_command,
    has_worker,
    make_pool,
    place_of,
    require_server,
    start_worker,
)

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

STAGE_FLOW = "stage"
ENTRYPOINT = "flows/scheduling/stage_run.py:stage_run"
LOOK_SECONDS = 1.0
WORKER_LOOK_SECONDS = 10.0
END_SECONDS = 25.0
"""For a run that is cancelled to end. Its worker kills it after 30 s, which may be all that this run has left, too."""
FAILURES = (TIMED_OUT, *TRANSIENT, "failed")
LINES = Path(".lianzi/stages")


def lines_of(root: Path, run: str) -> Path:
    """The file with what a stage's run prints."""
    return root / LINES / f"{run}.log"


def deploy_stage_runs(client: SyncPrefectClient, pool: str, root: Path) -> UUID:
    """The deployment of one stage of this project in the work pool, made or brought up to date."""
    place = place_of(root)
    name = deployment_name(root.name, place, deployment_tags(STAGE_FLOW), "stage")
    made = client.create_deployment(
        client.create_flow_from_name(STAGE_FLOW),
        name,
        description="Trainings of a run of the pipeline, one a run.",
        tags=[place],
        entrypoint=ENTRYPOINT,
        parameters={"root": str(root)},
        pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(root)}}],
        work_pool_name=pool,
        job_variables={
            "command": engine_command(),
            "env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS)},
        },
    )
    # Who waits for a run begins another one.
    automate(client, made, name, again=False)
    return made


class GpuPool:
    """A work pool that carries out trainings for the run of the pipeline of this process.

    No dataclass: Prefect looks into the parameters of a task.
    """

    def __init__(self, name: str, root: Path, parent: str, run: str, stopped: Callable[[], bool]) -> None:
        """`parent`: the flow run, `run`: its run in MLflow, `stopped`: whether it is to end.

        Raises LianziError: no server, no work pool to be made.
        """
        from prefect.client.orchestration import get_client

        require_server()
        self.name, self._root, self._parent, self._run, self._stopped = name, root, parent, run, stopped
        self._wait = gpu_wait_seconds()
        with get_client(sync_client=True) as client:
            make_pool(client, name)
            self._deployment = deploy_stage_runs(client, name, root)
            # What a run that died has left would train beside this one.
            for left in _unfinished(client, self._deployment):
                _end(client, left)

    @property
    def start_worker(self) -> str:
        return f"{start_worker(self.name)} --limit 1"

    def reproduce(self, stage: str, heard: Callable[[str], None], seconds: float | None = None) -> tuple[int, str]:
        """`dvc_repro.reproduce`, by a worker of the pool. A pool without a worker fails the stage after a time."""
        from prefect.client.orchestration import get_client
        from prefect.deployments import run_deployment

        given = self._parameters(stage, seconds)
        run = cast("FlowRun", run_deployment(self._deployment, parameters=given, flow_run_name=stage, timeout=0))
        lines = _Lines(self._root, str(run.id))
        try:
            with get_client(sync_client=True) as client:
                found = self._followed(client, run, stage, lines, heard)
        finally:
            lines.remove()
        return found

    def _parameters(self, stage: str, seconds: float | None) -> dict[str, Any]:
        return {
            "root": str(self._root),
            "stage": stage,
            "turn": signed_at(self._root),
            "store": tracking.store_name(),
            "mlflow_run": self._run,
            "parent": self._parent,
            "seconds": seconds,
        }

    def _followed(
        self, client: SyncPrefectClient, run: FlowRun, stage: str, lines: _Lines, heard: Callable[[str], None]
    ) -> tuple[int, str]:
        """Hand on what the stage prints until it ends, or until this run is to end."""
        waiting = _Waiting(client, self.name, self._wait)
        answered = time.monotonic()
        while not self._stopped():
            told = ""
            try:
                run = client.read_flow_run(run.id)
                if run.state is None or run.state.is_scheduled():
                    told = waiting.for_worker()
                answered = time.monotonic()
            except Exception as error:
                # The server may be starting again; its runs go on meanwhile.
                if time.monotonic() - answered > self._wait:
                    heard(f"error: {stage}: the Prefect server does not answer: {first_line(error)[:200]}")
                    return 1, UNREACHABLE
            lines.hand_on(heard)
            if told:
                heard(f"{told}: {self.start_worker}")
            if run.state is not None and run.state.is_final():
                lines.hand_on(heard)
                return self._ended(run, stage, heard)
            if waiting.over and (run.state is None or run.state.is_scheduled()):
                _end(client, run)
                limit = f"in {self._wait:g} s (LIANZI_GPU_WAIT_SECONDS)"
                heard(f"error: {stage}: no worker of the work pool {self.name} {limit}: {self.start_worker}")
                return 1, "failed"
            time.sleep(LOOK_SECONDS)
        _end(client, run)
        return 1, "failed"

    def _ended(self, run: FlowRun, stage: str, heard: Callable[[str], None]) -> tuple[int, str]:
        """The exit code and the outcome of a run that has ended; what its stage did not print itself is told."""
        state = run.state
        assert state is not None
        message = str(state.message or "")
        if state.is_completed():
            return 0, message
        if message in FAILURES:
            return 1, message
        if state.is_cancelled():
            heard(f"error: {stage}: cancelled in Prefect")
        elif state.is_crashed() and run.run_count:
            heard(f"its process in the work pool {self.name} died: {message}")
            return 1, KILLED
        elif state.is_crashed():
            heard(
                f"error: {stage}: a worker of the work pool {self.name} could not begin it; it needs {self._root} and "
                f"its Python there: {message}"
            )
        else:
            heard(f"error: {stage}: {message}")
        return 1, "failed"


class _Waiting:
    """For a worker: `over` once none was seen for so many seconds."""

    def __init__(self, client: SyncPrefectClient, pool: str, seconds: float) -> None:
        self._client, self._pool, self._seconds = client, pool, seconds
        self._seen = time.monotonic()
        self._looked = -WORKER_LOOK_SECONDS
        self._told = False

    def for_worker(self) -> str:
        """A line to be told once, where no worker is there; else empty."""
        if time.monotonic() - self._looked < WORKER_LOOK_SECONDS:
            return ""
        self._looked = time.monotonic()
        if has_worker(self._client, self._pool):
            self._seen = time.monotonic()
            return ""
        told, self._told = self._told, True
        return "" if told else f"waiting for a worker of the work pool {self._pool}"

    @property
    def over(self) -> bool:
        return time.monotonic() - self._seen > self._seconds + WORKER_LOOK_SECONDS


class _Lines:
    """What a stage's run printed since the last look."""

    def __init__(self, root: Path, run: str) -> None:
        self._path = lines_of(root, run)
        self._read = 0

    def hand_on(self, heard: Callable[[str], None]) -> None:
        """The lines that are whole, each once."""
        try:
            with self._path.open("rb") as lines:
                lines.seek(self._read)
                whole, _, _ = lines.read().rpartition(b"\n")
        except FileNotFoundError:
            return
        if whole:
            self._read += len(whole) + 1
            for line in whole.decode("utf-8", "replace").split("\n"):
                heard(line)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def _unfinished(client: SyncPrefectClient, deployment: UUID) -> list[FlowRun]:
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import TERMINAL_STATES

    return client.read_flow_runs(
        flow_run_filter=filters.FlowRunFilter(
            deployment_id=filters.FlowRunFilterDeploymentId(any_=[deployment]),
            state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(not_any_=list(TERMINAL_STATES))),
        )
    )


def _end(client: SyncPrefectClient, run: FlowRun) -> None:
    """Cancel a run and wait until it has ended: its training saves a checkpoint first."""
    from prefect.states import Cancelled, Cancelling

    run = client.read_flow_run(run.id)
    if run.state is None or run.state.is_scheduled():
        client.set_flow_run_state(run.id, Cancelled())
        return
    client.set_flow_run_state(run.id, Cancelling())
    deadline = time.monotonic() + END_SECONDS
    while not ((state := client.read_flow_run(run.id).state) and state.is_final()):
        if time.monotonic() > deadline:
            # Its worker is gone.
            client.set_flow_run_state(run.id, Cancelled(), force=True)
            return
        time.sleep(LOOK_SECONDS)
