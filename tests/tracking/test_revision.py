"""components.tracking.revision: the commit, what differs from it, and a name that tells both."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from components.tracking.revision import changed_params, git_diff, git_tags, run_name


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed project with code, parameters, and what stages write."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    for name in ("components", "metrics"):
        (tmp_path / name).mkdir()
    (tmp_path / "components/learn.py").write_text("RATE = 1\n")
    (tmp_path / "metrics/learn.json").write_text("{}\n")
    (tmp_path / "dvc.lock").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text("seed: 17\nfinetune: {learning_rate: 1.0e-3, epochs: 2}\n")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True)
    return tmp_path


def test_what_stages_write_is_no_change_of_what_they_are_made_from(project: Path) -> None:
    (project / "metrics/learn.json").unlink()
    (project / "dvc.lock").write_text("stages: {learn: {}}\n")
    assert git_tags()["git.dirty"] == "false"
    assert git_diff() == ""
    assert len(git_tags()["mlflow.source.git.commit"]) == 40


def test_changed_code_parameters_and_new_code_are_told_and_kept(project: Path) -> None:
    (project / "components/learn.py").write_text("RATE = 2\n")
    assert git_tags()["git.dirty"] == "true"
    assert "+RATE = 2" in git_diff()
    subprocess.run(["git", "checkout", "-q", "components"], check=True)
    assert git_tags()["git.dirty"] == "false"
    (project / "components/new.py").write_text("NEW = 1\n")
    assert git_tags()["git.dirty"] == "true"
    assert "+NEW = 1" in git_diff()


def test_a_kept_diff_applies_whatever_a_person_has_set_for_diffs(project: Path) -> None:
    for words in (["color.ui", "always"], ["diff.noprefix", "true"]):
        subprocess.run(["git", "config", *words], check=True)
    (project / "components/learn.py").write_text("RATE = 2\n")
    patch = git_diff()
    subprocess.run(["git", "checkout", "-q", "components"], check=True)
    subprocess.run(["git", "apply"], input=patch, text=True, check=True)
    assert (project / "components/learn.py").read_text() == "RATE = 2\n"


def test_a_run_is_called_by_what_is_not_as_committed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = git_tags()["mlflow.source.git.commit"]
    assert commit.startswith(run_name().partition(" ")[0])
    (project / "params.yaml").write_text("seed: 17\nfinetune: {learning_rate: 0.002, epochs: 2}\n")
    assert changed_params() == {"finetune.learning_rate": 0.002}
    assert run_name().startswith("finetune.learning_rate=0.002 · 20")
    monkeypatch.setenv("DVC_EXP_NAME", "calm-owl")
    assert run_name() == "calm-owl"


def test_without_git_there_is_nothing_to_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert git_tags() == {}
    assert git_diff() == ""
    assert run_name().startswith("no commit · ")
