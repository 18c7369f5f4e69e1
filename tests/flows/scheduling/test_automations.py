"""flows.scheduling.automations: what the server watches for. A real server acts on it in test_schedule_mends_itself."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from flows.scheduling.automations import HEARTBEAT_SECONDS, automations


def test_a_dead_run_leaves_running_within_120_seconds() -> None:
    silent = automations(uuid4(), "nightly-x")[0].trigger.within  # type: ignore[union-attr]
    assert silent is not None
    # The last heartbeat may be a moment old when the run dies; the server looks every five seconds.
    assert timedelta(seconds=2 * HEARTBEAT_SECONDS) < silent < timedelta(seconds=110)


def test_a_run_starts_again_twice_and_one_that_never_ran_not_at_all() -> None:
    again = automations(uuid4(), "nightly-x")[2].trigger
    assert again.match.model_dump()["prefect.run-count"] == ["1", "2"]  # type: ignore[union-attr]


def test_a_restart_that_was_lost_is_made_up_for_as_often() -> None:
    again, lost = automations(uuid4(), "nightly-x")[2:]
    assert lost.trigger.match == again.trigger.match  # type: ignore[union-attr]
    assert lost.trigger.after == {"prefect.flow-run.Crashed"}  # type: ignore[union-attr]
    assert "prefect.flow-run.AwaitingRetry" in lost.trigger.expect  # type: ignore[union-attr]
    assert lost.actions == again.actions


def test_automations_see_the_runs_of_their_deployment_alone() -> None:
    deployment = uuid4()
    for automation in automations(deployment, "nightly-x", uuid4()):
        related = automation.trigger.match_related.model_dump()  # type: ignore[union-attr]
        assert related["prefect.resource.id"] == f"prefect.deployment.{deployment}"
        assert automation.owner_resource == f"prefect.deployment.{deployment}"


def test_a_run_killed_before_its_first_heartbeat_is_missed_too() -> None:
    silent = automations(uuid4(), "nightly-x")[0].trigger
    assert "prefect.flow-run.Running" in silent.after  # type: ignore[union-attr]
    assert "prefect.flow-run.Running" not in silent.expect  # type: ignore[union-attr]
