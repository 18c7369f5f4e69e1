"""Whether a scheduled run has work to do: another one may have done it, there may be no new data, or no drift."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from prefect import get_run_logger
from prefect.runtime import flow_run

from components.lease import turn
from components.params import load_params
from flows.scheduling import notices
from flows.scheduling.new_data import new_data
from flows.scheduling.overrides import prepared

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

SKIPPED = "Skipped"
"""The name of the completed state of a run that had nothing to do."""


def own_turn() -> str:
    """What this run calls itself where others wait for it."""
    return f"scheduled run {flow_run.id}"


def no_work(folder: Path, only_on_new_data: bool, only_on_drift: bool, settings: list[str], block: str) -> str:
    """Why a scheduled run has nothing to do, in words; "" where it has."""
    if why := stood_for(str(flow_run.id)):
        return why
    if only_on_drift:
        return _no_drift(folder, settings, block)
    if not only_on_new_data:
        return ""
    with turn(folder, own_turn()):
        due = new_data(folder, str(flow_run.id), get_run_logger().warning)
    if due:
        get_run_logger().info(due)
    return "" if due else "no new data"


def _no_drift(folder: Path, settings: list[str], block: str) -> str:
    """Look at what the servers were asked, follow it as watch.act says, and tell of it where it matters."""
    from flows.watching.watch import Watch, raise_failed, watch_tasks

    with turn(folder, own_turn()), prepared(folder, settings):
        params = load_params(folder / "params.yaml")
        how = Watch(params.watch, act=params.watch.act == "retrain", run=str(flow_run.id))
        outcomes = watch_tasks(folder, params, (), how)
    lines = [line for one in outcomes for line in one.lines]
    for line in lines:
        get_run_logger().info(line)
    drifted = [one.task for one in outcomes if one.drift]
    told = [f"drift of {', '.join(drifted)}"] if drifted else []
    if told := told + [one.moved for one in outcomes if one.moved]:
        notices.notify(block, f"lianzi: {folder.name}: {'; '.join(told)}", "\n".join(lines), get_run_logger())
    if any(one.retrain for one in outcomes):
        return ""  # the run goes on: the log has what ended another task's look
    raise_failed(outcomes)
    return "; ".join(lines) or "no task has a champion yet"


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
