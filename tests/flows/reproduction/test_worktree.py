"""flows.reproduction.worktree: the project as it was, apart from the one at work."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from components.errors import ArtifactError, DataError
from flows.reproduction.target import find_target
from flows.reproduction.worktree import build_environment, remove, work_tree
from tests.small_results import replaced, run


def test_the_tree_has_the_commit_and_its_data_and_not_what_changed_since(project: Path) -> None:
    replaced("params.yaml", "seed: 17", "seed: 7")(project)
    with work_tree(project, find_target(project, "HEAD")) as tree:
        assert "seed: 17" in (tree / "params.yaml").read_text()
        assert (tree / "data" / "rows.jsonl").read_bytes() == (project / "data" / "rows.jsonl").read_bytes()
    remove(project, tree)
    assert not tree.exists()


def test_the_changes_that_a_run_had_are_applied(project: Path) -> None:
    replaced("params.yaml", "seed: 17", "seed: 7")(project)
    patch = run(project, "git", "diff", "HEAD")
    run(project, "git", "checkout", "-q", "params.yaml")
    with work_tree(project, replace(find_target(project, "HEAD"), patch=patch)) as tree:
        assert "seed: 7" in (tree / "params.yaml").read_text()


def test_changes_that_do_not_apply_are_refused(project: Path) -> None:
    target = replace(find_target(project, "HEAD"), patch="--- a/none\n+++ b/none\n@@ -1 +1 @@\n-a\n+b\n")
    with pytest.raises(ArtifactError, match="the changes that MLflow kept do not apply"), work_tree(project, target):
        pass


def test_data_that_is_nowhere_is_refused(project: Path) -> None:
    shutil.rmtree(project / ".dvc" / "cache")
    refusal = pytest.raises(DataError, match="data/ of this commit is neither in DVC's cache nor in its remote")
    with refusal, work_tree(project, find_target(project, "HEAD")):
        pass


def test_a_commit_that_pins_nothing_has_no_environment_to_build(project: Path) -> None:
    with pytest.raises(ArtifactError, match=r"requirements.lock: not in this commit"):
        build_environment(project)
