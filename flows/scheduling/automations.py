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


def automate(
    client: SyncPrefectClient, deployment_id: UUID, name: str, block: UUID | None = None, again: bool = True
) -> list[str]:
    """Give the deployment its automations, in place of those it had. Returns their names.

    `block`: a notification block, told of a run that died. `again`: whether such a run starts again by itself.
    """
    owner = f"prefect.deployment.{deployment_id}"
    client.delete_resource_owned_automations(owner)
    made = automations(deployment_id, name, block)[: None if again else FINDING]
    for automation in made:
        client.create_automation(automation)
    return [automation.name for automation in made]


def automations(deployment_id: UUID, name: str, block: UUID | None = None) -> list[AutomationCore]:
    """A run without heartbeats is Crashed; so is one that never began; one that crashed is scheduled once more."""
    from prefect.client.schemas.objects import StateType
    from prefect.events import AutomationCore
    from prefect.events.actions import ChangeFlowRunState, SendNotification
    from prefect.events.schemas.automations import Posture

    owner = f"prefect.deployment.{deployment_id}"

    def crash(message: str) -> list[Any]:
        return [ChangeFlowRunState(name=None, state=StateType.CRASHED, message=message, force=False)]

    again = ChangeFlowRunState(
        state=StateType.SCHEDULED,
        name="AwaitingRetry",
        message="its process died: started once more",
        force=False,
    )
    counts: dict[str, str | list[str]] = {"prefect.run-count": [str(count) for count in range(1, MOST_RESTARTS + 1)]}
    subject = f"lianzi: {name}: a run died"
    told = [] if block is None else [SendNotification(block_document_id=block, subject=subject, body=_DIED)]
    beat = "prefect.flow-run.heartbeat"
    # A run that is killed in its first seconds has sent none: its beginning counts as one.
    alive = {beat, "prefect.flow-run.Running", "prefect.flow-run.Retrying"}
    return [
        AutomationCore(
            name=f"{name}: a silent run has crashed",
            description=f"No heartbeat for {SILENT_SECONDS} s: the process, its machine or its worker died.",
            trigger=_trigger(
                deployment_id, alive, {beat, *NAMED_ENDS}, Posture.Proactive, timedelta(seconds=SILENT_SECONDS)
            ),
            actions=crash(f"no heartbeat for {SILENT_SECONDS} s"),
            owner_resource=owner,
        ),
        AutomationCore(
            name=f"{name}: a run that never began has crashed",
            description=f"Taken by a worker and not running {START_SECONDS} s later.",
            trigger=_trigger(
                deployment_id,
                {"prefect.flow-run.Pending"},
                {"prefect.flow-run.Running", "prefect.flow-run.AwaitingConcurrencySlot", *NAMED_ENDS},
                Posture.Proactive,
                timedelta(seconds=START_SECONDS),
            ),
            actions=crash(f"not begun after {START_SECONDS} s"),
            owner_resource=owner,
        ),
        AutomationCore(
            name=f"{name}: a crashed run starts again",
            # The count of an event is how often its run has been Running. A project that cannot even start has 0, or it
            # would come again without end. No `after`: a worker tells of a death twice, the second undoes the first.
            description=f"The same run, with its parameters, {MOST_RESTARTS} times at most.",
            trigger=_trigger(
                deployment_id,
                set(),
                {"prefect.flow-run.Crashed"},
                Posture.Reactive,
                timedelta(0),
                counts,
            ),
            actions=[again, *told],
            owner_resource=owner,
        ),
        AutomationCore(
            name=f"{name}: a crashed run that did not start again is started",
            # A database that is locked for long loses the action above. Twice done does no harm: a second process of a
            # run sees the first one and leaves.
            description=f"It is still Crashed {RESTART_SECONDS} s later.",
            trigger=_trigger(
                deployment_id,
                {"prefect.flow-run.Crashed"},
                {*NAMED_ENDS, "prefect.flow-run.Pending", "prefect.flow-run.Running"} - {"prefect.flow-run.Crashed"},
                Posture.Proactive,
                timedelta(seconds=RESTART_SECONDS),
                counts,
            ),
            actions=[again],
            owner_resource=owner,
        ),
    ]


_DIED = "{{ flow_run.name }} crashed: {{ flow_run.state.message }}. It starts again by itself, twice at most."


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
        "prefect.resource.id": f"prefect.deployment.{deployment_id}",
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
