"""What the Prefect server does by itself for a deployment: it finds runs that died, and starts them again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events import AutomationCore

HEARTBEAT_SECONDS = 30
"""Prefect's smallest interval; infra/prefect.yaml gives it to each run."""
SILENT_SECONDS = 75
"""Two heartbeats that are missed. The server looks every 5 s, so a dead run leaves Running within 90 s."""
START_SECONDS = 300
"""For a run that a worker took and never began: its worker died meanwhile. A busy machine starts slowly."""
FINDING = 2
"""The automations that find dead runs come before those that start them again."""
MOST_RESTARTS = 2
RESTART_SECONDS = 45
"""For a crashed run to be scheduled again; then it is once more."""
ENDS = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed", "AwaitingRetry")}
"""`Skipped` and `Cached` are names of completed runs, listed below as every name is an event of its own."""
NAMED_ENDS = ENDS | {"prefect.flow-run.Skipped", "prefect.flow-run.Cached"}
CRASHED = "prefect.flow-run.Crashed"
RESTARTED: dict[str, str | list[str]] = {"prefect.run-count": [str(count) for count in range(1, MOST_RESTARTS + 1)]}
"""The labels of an event whose run may start again: how often it has been Running. A project that cannot even start has
0, or it would come again without end."""
_DIED = "{{ flow_run.name }} crashed: {{ flow_run.state.message }}. It starts again by itself, twice at most."


def automate(
    client: SyncPrefectClient, deployment_id: UUID, name: str, block: UUID | None = None, again: bool = True
) -> list[str]:
    """Give the deployment its automations, in place of those it had. Returns their names.

    `block`: a notification block, told of a run that died. `again`: whether such a run starts again by itself.
    """
    client.delete_resource_owned_automations(_owner(deployment_id))
    made = automations(deployment_id, name, block)[: None if again else FINDING]
    for automation in made:
        client.create_automation(automation)
    return [automation.name for automation in made]


def automations(deployment_id: UUID, name: str, block: UUID | None = None) -> list[AutomationCore]:
    """A run without heartbeats is Crashed; so is one that never began; one that crashed is scheduled once more."""
    return [
        _silent(deployment_id, name),
        _never_began(deployment_id, name),
        _starts_again(deployment_id, name, block),
        _starts_after_all(deployment_id, name),
    ]


def _silent(deployment_id: UUID, name: str) -> AutomationCore:
    from prefect.events.schemas.automations import Posture

    beat = "prefect.flow-run.heartbeat"
    # A run that is killed in its first seconds has sent none: its beginning counts as one.
    alive = {beat, "prefect.flow-run.Running", "prefect.flow-run.Retrying"}
    within = timedelta(seconds=SILENT_SECONDS)
    return _automation(
        deployment_id,
        f"{name}: a silent run has crashed",
        f"No heartbeat for {SILENT_SECONDS} s: the process, its machine or its worker died.",
        _trigger(deployment_id, alive, {beat, *NAMED_ENDS}, Posture.Proactive, within),
        [_crash(f"no heartbeat for {SILENT_SECONDS} s")],
    )


def _never_began(deployment_id: UUID, name: str) -> AutomationCore:
    from prefect.events.schemas.automations import Posture

    begun = {"prefect.flow-run.Running", "prefect.flow-run.AwaitingConcurrencySlot", *NAMED_ENDS}
    within = timedelta(seconds=START_SECONDS)
    return _automation(
        deployment_id,
        f"{name}: a run that never began has crashed",
        f"Taken by a worker and not running {START_SECONDS} s later.",
        _trigger(deployment_id, {"prefect.flow-run.Pending"}, begun, Posture.Proactive, within),
        [_crash(f"not begun after {START_SECONDS} s")],
    )


def _starts_again(deployment_id: UUID, name: str, block: UUID | None) -> AutomationCore:
    from prefect.events.actions import SendNotification
    from prefect.events.schemas.automations import Posture

    subject = f"lianzi: {name}: a run died"
    told = [] if block is None else [SendNotification(block_document_id=block, subject=subject, body=_DIED)]
    return _automation(
        deployment_id,
        f"{name}: a crashed run starts again",
        f"The same run, with its parameters, {MOST_RESTARTS} times at most.",
        # No `after`: a worker tells of a death twice, the second undoes the first.
        _trigger(deployment_id, set(), {CRASHED}, Posture.Reactive, timedelta(0), RESTARTED),
        [_again(), *told],
    )


def _starts_after_all(deployment_id: UUID, name: str) -> AutomationCore:
    """A database that is locked for long loses the action of `_starts_again`. Twice done does no harm: a second process
    of a run sees the first one and leaves."""
    from prefect.events.schemas.automations import Posture

    moved_on = {*NAMED_ENDS, "prefect.flow-run.Pending", "prefect.flow-run.Running"} - {CRASHED}
    within = timedelta(seconds=RESTART_SECONDS)
    return _automation(
        deployment_id,
        f"{name}: a crashed run that did not start again is started",
        f"It is still Crashed {RESTART_SECONDS} s later.",
        _trigger(deployment_id, {CRASHED}, moved_on, Posture.Proactive, within, RESTARTED),
        [_again()],
    )


def _automation(deployment_id: UUID, name: str, description: str, trigger: Any, actions: list[Any]) -> AutomationCore:
    from prefect.events import AutomationCore

    owner = _owner(deployment_id)
    return AutomationCore(name=name, description=description, trigger=trigger, actions=actions, owner_resource=owner)


def _owner(deployment_id: UUID) -> str:
    return f"prefect.deployment.{deployment_id}"


def _crash(message: str) -> Any:
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState

    return ChangeFlowRunState(name=None, state=StateType.CRASHED, message=message, force=False)


def _again() -> Any:
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState

    told = "its process died: started once more"
    return ChangeFlowRunState(state=StateType.SCHEDULED, name="AwaitingRetry", message=told, force=False)


def _trigger(
    deployment_id: UUID,
    after: set[str],
    expect: set[str],
    posture: Any,
    within: timedelta,
    labels: Mapping[str, str | list[str]] | None = None,
) -> Any:
    """A trigger on each run of the deployment for itself, of events with these labels."""
    from prefect.events.schemas.automations import EventTrigger
    from prefect.events.schemas.events import ResourceSpecification

    related: dict[str, str | list[str]] = {
        "prefect.resource.id": _owner(deployment_id),
        "prefect.resource.role": "deployment",
    }
    return EventTrigger(
        match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"], **(labels or {})}),
        match_related=ResourceSpecification(related),
        for_each={"prefect.resource.id"},
        after=after,
        expect=expect,
        posture=posture,
        threshold=1,
        within=within,
    )
