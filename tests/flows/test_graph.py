"""flows.graph against a real DVC project."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import main
from components.errors import DataError, ServiceError
from flows.dvc_repro import reproduce
from flows.graph import data_version, read_graph


def test_every_stage_comes_after_those_it_needs(project: Path) -> None:
    stages = read_graph(project)
    seen: set[str] = set()
    for stage in stages:
        assert seen.issuperset(stage.needs)
        seen.add(stage.name)
    assert {stage.name: stage.needs for stage in stages}["dependant"] == ("fragile",)


def test_the_projects_own_graph_is_the_one_promised(root: Path) -> None:
    needs = {stage.name: stage.needs for stage in read_graph(root)}
    assert needs["curate"] == ("data.dvc",)
    assert needs["evaluate@topic"] == (
        "build@topic",
        "curate",
        "distill@topic",
        "finetune@topic",
        "train_from_scratch@topic",
    )
    assert "finetune@form" not in needs["distill@topic"]


def test_a_new_project_is_stale_and_says_why(project: Path) -> None:
    first = read_graph(project)[0]
    assert not first.fresh
    assert any("first.txt" in change for change in first.changes)


def test_a_folder_without_dvc_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="this is no DVC project"):
        read_graph(tmp_path)


def test_the_graph_can_be_read_while_a_stage_runs(project: Path, long_stage: subprocess.Popen[bytes]) -> None:
    began = time.monotonic()
    stages = {stage.name: stage for stage in read_graph(project)}
    assert time.monotonic() - began < 30
    assert stages["first"].running == long_stage.pid
    assert not stages["first"].fresh
    assert stages["bystander"].running is None


def test_data_without_a_version_and_data_that_changed_since_are_told(project: Path) -> None:
    assert data_version(project, read_graph(project)) == ""
    (project / "data").mkdir()
    (project / "data" / "a.jsonl").write_text("{}")
    assert "data/ has no version" in data_version(project, read_graph(project))
    subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "data"], check=True)
    assert data_version(project, read_graph(project)) == ""
    (project / "data" / "a.jsonl").write_text("[]")
    assert "data/ is not what data.dvc names: `dvc add data`" in data_version(project, read_graph(project))
    assert reproduce("data.dvc", project, print)[0] == 0
    assert data_version(project, read_graph(project)) == ""


def test_data_behind_a_link_is_refused_before_dvc_calls_it_fresh(project: Path, tmp_path: Path) -> None:
    (project / "data" / "tasks").mkdir(parents=True)
    (project / "data" / "a.jsonl").write_text("{}")
    subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "data"], check=True)
    (tmp_path / "disk").mkdir()
    (project / "data" / "tasks" / "mood").symlink_to(tmp_path / "disk")
    for command in (["status"], ["plan"], ["run"], ["import", "data/a.jsonl"]):
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 1, command
        assert "data/tasks/mood: a link to a folder" in done.output
        assert "Data on another disk" in done.output
    (project / "data" / "tasks" / "mood").unlink()
    os.mkfifo(project / "data" / "tasks" / "pipe")
    with pytest.raises(DataError, match="pipe: a pipe"):
        read_graph(project)
