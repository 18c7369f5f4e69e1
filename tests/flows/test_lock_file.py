"""flows.lock_file against a real DVC project."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML

from flows.dvc_repro import reproduce
from flows.lock_file import order_lock


def test_stages_that_ended_in_another_order_stand_in_that_of_a_first_repro(project: Path) -> None:
    order_lock(project)  # nothing ran yet: there is no dvc.lock
    for stage in ("first", "bystander", "fragile"):
        reproduce(stage, project, print)
    assert list(_stages(project)) == ["first", "bystander", "fragile"]
    before = _stages(project)
    order_lock(project)
    assert list(_stages(project)) == ["first", "fragile", "bystander"]
    assert _stages(project) == before


def _stages(project: Path) -> dict[str, object]:
    found: dict[str, object] = YAML(typ="safe").load((project / "dvc.lock").read_text())["stages"]
    return found
