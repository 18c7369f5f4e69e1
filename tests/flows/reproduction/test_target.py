"""flows.reproduction.target: what a name stands for, or that it stands for nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.errors import ArtifactError, LianziError
from flows.reproduction.target import find_target
from tests.small_results import commit


def test_a_revision_is_its_commit_and_the_lock_in_it(project: Path) -> None:
    target = find_target(project, "HEAD")
    assert len(target.commit) == 40
    assert list(target.lock) == ["sum", "copy"]
    assert target.name == f"HEAD ({target.commit[:8]})"


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("nothing", "'nothing': no result of this name\nname a git revision"),
        ("--all", "'--all': no result of this name"),
        ("f" * 32, "run f{32}: "),
        ("topic@champion", "topic: no champion\n"),
        ("topic@3", "topic v3: no such version\nregistered: none"),
    ],
)
def test_a_name_of_nothing_is_refused(project: Path, named: str, told: str) -> None:
    with pytest.raises(LianziError, match=told):
        find_target(project, named)


def test_a_commit_without_a_result_is_refused(project: Path) -> None:
    (project / "dvc.lock").unlink()
    commit(project)
    with pytest.raises(ArtifactError, match=r"HEAD: no dvc.lock in this commit, so it has no result\ncommit dvc.lock"):
        find_target(project, "HEAD")


def test_results_of_a_task_that_params_yaml_has_lost_are_no_part_of_it(project: Path) -> None:
    stages = {"curate": {"params": {"params.yaml": {"tasks": {"intent": {}}}}}, "build@topic": {}, "build@intent": {}}
    (project / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": stages}))
    commit(project)
    assert list(find_target(project, "HEAD").lock) == ["curate", "build@intent"]
