"""flows.scheduling.deployments: names beside those of other projects; the server is asked in test_schedule.py."""

from __future__ import annotations

from pathlib import Path

from flows.scheduling.deployments import deployment_name, place_of, start_worker


def test_deployments_of_several_kinds_have_a_name_each() -> None:
    place = place_of(Path("/a/lianzi"))
    assert place.endswith(":/a/lianzi")
    assert deployment_name("lianzi", place, {}) == "nightly-lianzi"
    assert deployment_name("lianzi", place, {"stage-lianzi": ["other"]}, "stage").startswith("stage-lianzi-")


def test_the_command_of_a_worker_can_be_pasted() -> None:
    assert start_worker("two words") == "prefect worker start --pool 'two words'"
