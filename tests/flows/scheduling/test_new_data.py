"""flows.scheduling.new_data: a run is due once for each version of the data."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flows.scheduling.new_data import new_data
from tests.scheduled_lab import change_data, make_project


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words], cwd=folder, check=True)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, mlflow_store: Path) -> Path:
    """A project whose stages have run."""
    project = make_project(tmp_path_factory.mktemp("new_data") / "project", mlflow_store, seconds=0)
    subprocess.run(["dvc", "repro", "-q"], cwd=project, check=True)
    git(project, "add", "-A")
    git(project, "commit", "-qm", "results")
    return project


def test_a_version_of_the_data_makes_one_run(done: Path) -> None:
    assert new_data(done, "a") == ""
    change_data(done, "new")
    assert new_data(done, "b") == "data/ has changed"
    assert new_data(done, "c") == "", "the run b was begun for it, and a stage may have refused it"
    assert "interrupted" in new_data(done, "b")
    change_data(done, "newer still")
    assert new_data(done, "d") == "data/ has changed"
    subprocess.run(["dvc", "repro", "-q"], cwd=done, check=True)
    (done / "data" / "source.txt").touch()
    assert new_data(done, "e") == "", "touched, and the same"


def test_a_version_upstream_is_fetched_with_its_data(tmp_path: Path, mlflow_store: Path) -> None:
    ours = make_project(tmp_path / "ours", mlflow_store, seconds=0)
    subprocess.run(["dvc", "remote", "add", "-q", "-d", "there", str(tmp_path / "remote")], cwd=ours, check=True)
    subprocess.run(["dvc", "repro", "-q"], cwd=ours, check=True)
    subprocess.run(["dvc", "push", "-q", "data"], cwd=ours, check=True)
    git(ours, "add", "-A")
    git(ours, "commit", "-qm", "results")
    subprocess.run(["git", "clone", "-q", "--bare", str(ours), str(tmp_path / "hub")], check=True)
    git(ours, "remote", "add", "origin", str(tmp_path / "hub"))
    git(ours, "fetch", "-q")
    git(ours, "branch", "-q", "--set-upstream-to", f"origin/{_branch(ours)}")
    assert new_data(ours, "a") == ""

    theirs = tmp_path / "theirs"
    subprocess.run(["git", "clone", "-q", str(tmp_path / "hub"), str(theirs)], check=True)
    change_data(theirs, "from upstream")
    for words in (["dvc", "add", "-q", "data"], ["dvc", "push", "-q", "data"]):
        subprocess.run(words, cwd=theirs, check=True)
    git(theirs, "commit", "-qam", "data")
    git(theirs, "push", "-q")

    assert new_data(ours, "b") == "data.dvc upstream names another version of data/"
    assert (ours / "data" / "source.txt").read_text() == "from upstream\n"
    assert new_data(ours, "c") == ""


def _branch(folder: Path) -> str:
    return subprocess.check_output(["git", "branch", "--show-current"], cwd=folder, text=True).strip()
