"""flows.reproduction.rerun: every stage again, up to the first that differs."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from flows.reproduction.inputs import differing_inputs
from flows.reproduction.rerun import StageFailed, machine_differences, rerun
from flows.reproduction.target import find_target
from flows.reproduction.worktree import work_tree
from tests.small_results import commit, replaced, run


def test_a_library_of_another_version_is_told_and_the_rest_is_compared(project: Path) -> None:
    replaced("dvc.lock", metadata.version("numpy"), "0.1")(project)
    commit(project)
    target = find_target(project, "HEAD")
    said: list[str] = []
    with work_tree(project, target) as tree:
        verdict = rerun(project, tree, target, None, said.append)
    assert said[0] == f"differs before any work: library numpy: 0.1 recorded, {metadata.version('numpy')} now"
    assert verdict.equal
    assert (verdict.stages, verdict.outputs) == (2, 2)


def test_a_stage_that_fails_ends_it_with_its_own_error(project: Path) -> None:
    replaced("components/sum.py", "import json, sys", "raise SystemExit('error: no such number')")(project)
    commit(project)
    target = find_target(project, "HEAD")
    refusal = pytest.raises(StageFailed, match=r"^sum does not run here: no such number$")
    with work_tree(project, target) as tree, refusal:
        rerun(project, tree, target, None, print)


def test_stages_are_run_in_the_order_of_the_graph_and_those_that_are_gone_are_not(project: Path) -> None:
    """DVC writes a stage that came later behind all others, and leaves one that dvc.yaml has lost."""
    lock = YAML(typ="safe").load((project / "dvc.lock").read_text())
    later = {name: lock["stages"][name] for name in ("copy", "sum")}
    lock["stages"] = later | {"lost": {"cmd": "true"}}
    with (project / "dvc.lock").open("w") as stream:
        YAML(typ="safe").dump(lock, stream)
    commit(project)
    target = find_target(project, "HEAD")
    with work_tree(project, target) as tree:
        verdict = rerun(project, tree, target, None, print)
    assert (verdict.equal, verdict.stages) == (True, 2)


def test_a_folder_that_no_commit_has_is_read_as_it_is_now(project: Path) -> None:
    """As a checkpoint's: `pretrain.init_from` names it."""
    start = project / "models" / "start"
    (start / "deep").mkdir(parents=True)
    for name in ("config.json", "deep/b.bin", "é.txt"):
        (start / name).write_text(name)
    with (project / ".gitignore").open("a") as stream:
        stream.write("/models\n")
    replaced("dvc.yaml", "components/sum.py]", "components/sum.py, models/start]")(project)
    run(project, "dvc", "repro", "-q")
    commit(project)
    target = find_target(project, "HEAD")
    said: list[str] = []
    with work_tree(project, target) as tree:
        assert rerun(project, tree, target, None, said.append).equal
        assert not any("before any work" in line for line in said)
        (start / "config.json").write_text("another")
    assert [one.told() for one in differing_inputs(project, target.lock)["sum"]] == ["data models/start: another one"]


def test_another_machine_is_told_where_the_recorded_one_is_known() -> None:
    here = {"machine": {"processor": "B", "system": "Linux"}}
    assert machine_differences({}, here) == []
    assert machine_differences({"machine": {"processor": "A", "system": "Linux"}}, here) == [
        "hardware processor: A recorded, B now"
    ]
