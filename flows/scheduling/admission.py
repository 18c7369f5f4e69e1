"""Whether a scheduled run has work to do: another one may have done it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

SKIPPED = "Skipped"
"""The name of the completed state of a run that had nothing to do."""


def stood_for(run_id: str) -> str:
    """The run that stands for this one, in words; "" where this one has its work to do.

    Whatever began after the time of a scheduled run has done its work: of the runs that were missed in a downtime the
    first does it, and the others are skipped.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        mine = client.read_flow_run(UUID(run_id))
        began = _began_since(client, mine)
    return f"the run that began {began:%Y-%m-%d %H:%M %Z} stands for it" if began is not None else ""


def _began_since(client: SyncPrefectClient, mine: FlowRun) -> datetime | None:
    """The beginning of another run of the same schedule after the time that this one was meant for."""
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort

    if not mine.auto_scheduled or mine.created_by is None or mine.expected_start_time is None:
        return None
    # Of another schedule, or of a person, a run has other parameters.
    others = client.read_flow_runs(
        flow_run_filter=filters.FlowRunFilter(
            deployment_id=filters.FlowRunFilterDeploymentId(any_=[mine.deployment_id] if mine.deployment_id else []),
            start_time=filters.FlowRunFilterStartTime(after_=mine.expected_start_time),
            state=filters.FlowRunFilterState(
                type=filters.FlowRunFilterStateType(any_=[StateType.COMPLETED, StateType.FAILED, StateType.RUNNING]),
                name=filters.FlowRunFilterStateName(not_any_=[SKIPPED]),
            ),
        ),
        sort=FlowRunSort.START_TIME_ASC,
    )
    began = (
        run.start_time
        for run in others
        if run.id != mine.id and run.created_by is not None and run.created_by.id == mine.created_by.id
    )
    first = next((time for time in began if time is not None), None)
    # Of two that run, the one that began first goes on.
    return first if first is not None and (mine.start_time is None or first < mine.start_time) else None
