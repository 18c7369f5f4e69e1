"""flows.scheduling.new_data: a run is due once for each version of the data."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flows.scheduling import new_data as module
from flows.scheduling.new_data import fingerprint, new_data
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


def test_a_version_of_the_data_makes_one_run(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(module, "SETTLED_SECONDS", 0)
    assert new_data(done, "a", said.append) == ""
    change_data(done, "new")
    assert new_data(done, "b", said.append) == "data/ has changed"
    assert new_data(done, "c", said.append) == "", "the run b was begun for it, and a stage may have refused it"
    assert "interrupted" in new_data(done, "b", said.append)
    change_data(done, "newer still")
    assert new_data(done, "d", said.append) == "data/ has changed"
    subprocess.run(["dvc", "repro", "-q"], cwd=done, check=True)
    (done / "data" / "source.txt").touch()
    assert new_data(done, "e", said.append) == "", "touched, and the same"
    assert said == []


def test_data_that_may_be_half_copied_waits_for_the_next_look(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(module, "SETTLED_SECONDS", 600)
    change_data(done, "half")
    assert new_data(done, "f", said.append) == ""
    assert "may be half copied" in said[0]
    change_data(done, "half, and the rest")
    assert new_data(done, "g", said.append) == ""
    assert new_data(done, "h", said.append) == "data/ has changed", "the same at two looks"


def test_a_link_that_leads_nowhere_has_a_fingerprint(tmp_path: Path) -> None:
    change_data(tmp_path, "words")
    whole = fingerprint(tmp_path)
    (tmp_path / "data" / "gone").symlink_to("nowhere")
    assert fingerprint(tmp_path) != whole


def test_a_version_upstream_is_fetched_with_its_data(tmp_path: Path, mlflow_store: Path) -> None:
    said: list[str] = []
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
    assert new_data(ours, "a", said.append) == ""

    theirs = tmp_path / "theirs"
    subprocess.run(["git", "clone", "-q", str(tmp_path / "hub"), str(theirs)], check=True)
    change_data(theirs, "from upstream")
    for words in (["dvc", "add", "-q", "data"], ["dvc", "push", "-q", "data"]):
        subprocess.run(words, cwd=theirs, check=True)
    git(theirs, "commit", "-qam", "data")
    git(theirs, "push", "-q")

    (tmp_path / "remote").rename(tmp_path / "away")
    assert new_data(ours, "b", said.append) == ""
    assert "data.dvc upstream is left for the next look: DVC's remote lacks its data" in said[0]
    assert (ours / "data" / "source.txt").read_text() == "words\n"
    assert _changed(ours) == []
    (tmp_path / "away").rename(tmp_path / "remote")
    (tmp_path / "hub").rename(tmp_path / "away")
    assert new_data(ours, "b", said.append) == ""
    assert "`git fetch` failed" in said[1]
    (tmp_path / "away").rename(tmp_path / "hub")

    assert new_data(ours, "b", said.append) == "data.dvc upstream names another version of data/"
    assert (ours / "data" / "source.txt").read_text() == "from upstream\n"
    assert _changed(ours) == [" M data.dvc"], "not staged"
    assert new_data(ours, "c", said.append) == ""


def _branch(folder: Path) -> str:
    return subprocess.check_output(["git", "branch", "--show-current"], cwd=folder, text=True).strip()


def _changed(folder: Path) -> list[str]:
    return subprocess.check_output(["git", "status", "--short", "-uno"], cwd=folder, text=True).splitlines()
