"""flows.sweeping.trees: trials start from the work tree as it stood, and leave the user's index alone."""

from __future__ import annotations

from pathlib import Path

from flows.reproduction.git import git
from flows.sweeping.trees import base_commit
from tests.small_sweeps import make_sweep_project


def test_the_base_has_what_is_not_committed_and_stays(tmp_path: Path, root: Path, mlflow_store: Path) -> None:
    project = make_sweep_project(root, mlflow_store, tmp_path)
    (project / "new.py").write_text("new")
    (project / "dvc.yaml").write_text((project / "dvc.yaml").read_text() + "\n# changed\n")
    before = git(project, "status", "--short")
    commit, new = base_commit(project, "search")
    assert new
    assert git(project, "show", f"{commit}:new.py") == "new"
    assert git(project, "show", f"{commit}:dvc.yaml").endswith("# changed\n")
    assert git(project, "status", "--short") == before
    (project / "new.py").write_text("newer")
    assert base_commit(project, "search") == (commit, False)
