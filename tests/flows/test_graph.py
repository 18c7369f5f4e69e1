"""flows.graph against a real DVC project."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from cli.main import main
from components.errors import DataError, ServiceError
from flows.graph import (
    KILLED,
    LOCKED_OUT,
    TIMED_OUT,
    UNREACHABLE,
    _end_tree,
    _failure,
    data_version,
    read_graph,
    reproduce,
)


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
    assert needs["evaluate@topic"] == ("build@topic", "curate", "distill@topic", "finetune@topic")
    assert "finetune@form" not in needs["distill@topic"]


def test_a_new_project_is_stale_and_says_why(project: Path) -> None:
    first = read_graph(project)[0]
    assert not first.fresh
    assert any("first.txt" in change for change in first.changes)


def test_a_stage_runs_once_and_is_cached_then(project: Path) -> None:
    heard: list[str] = []
    assert reproduce("first", project, heard.append) == (0, "ran")
    assert reproduce("first", project, heard.append) == (0, "cached")
    assert heard == []


def test_outputs_of_an_earlier_run_are_restored(project: Path) -> None:
    reproduce("first", project, print)
    (project / "source.txt").write_text("other\n")
    reproduce("first", project, print)
    (project / "source.txt").write_text("words\n")
    assert reproduce("first", project, print) == (0, "restored")


def test_a_failing_stage_tells_what_it_printed(project: Path) -> None:
    (project / "break").touch()
    reproduce("first", project, print)
    heard: list[str] = []
    code, _ = reproduce("fragile", project, heard.append)
    assert code != 0
    assert "error: fragile: source.txt:1 is cracked" in heard


def test_parallel_stages_wait_for_each_others_lock(project: Path) -> None:
    reproduce("first", project, print)
    words = ["dvc", "repro", "--single-item", "bystander"]
    with subprocess.Popen(words, cwd=project, stdout=subprocess.DEVNULL) as other:
        assert reproduce("fragile", project, print)[0] == 0
        assert other.wait() == 0
    assert all(stage.fresh for stage in read_graph(project) if stage.name != "dependant")


def test_a_folder_without_dvc_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="this is no DVC project"):
        read_graph(tmp_path)


@pytest.fixture
def long_stage(project: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A `dvc repro` whose stage runs until a file `end` is there."""
    text = (project / "dvc.yaml").read_text()
    slow = "touch begun; while test ! -e end; do sleep 0.1; done; cat source.txt > first.txt"
    (project / "dvc.yaml").write_text(text.replace("cat source.txt > first.txt", slow))
    process = subprocess.Popen(["dvc", "repro", "first"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (project / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    yield process
    (project / "end").touch()
    process.wait(60)


def test_the_graph_can_be_read_while_a_stage_runs(project: Path, long_stage: subprocess.Popen[bytes]) -> None:
    began = time.monotonic()
    stages = {stage.name: stage for stage in read_graph(project)}
    assert time.monotonic() - began < 30
    assert stages["first"].running == long_stage.pid
    assert not stages["first"].fresh
    assert stages["bystander"].running is None


def test_a_stage_that_another_process_runs_is_waited_for_in_one_line(
    project: Path, long_stage: subprocess.Popen[bytes]
) -> None:
    heard: list[str] = []

    def hear(line: str) -> None:
        heard.append(line)
        (project / "end").touch()

    assert reproduce("first", project, hear) == (0, "cached")
    (line,) = heard
    assert line.startswith(f"waiting for another DVC process: (PID {long_stage.pid}): ")


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


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (["ERROR: failed to reproduce 'a': failed to run: python -m x, exited with -9"], KILLED),
        (["ERROR: failed to reproduce 'a': failed to run: python -m x, exited with 137"], KILLED),
        (["ERROR: Unable to acquire lock. Most likely another DVC process is running"], LOCKED_OUT),
        (["error: MLflow at http://there does not answer"], UNREACHABLE),
        (["error: data/tasks/topic.csv:3: unknown label"], "failed"),
        (["error: x/y: no such folder", "the Hugging Face hub does not answer: timed out"], UNREACHABLE),
        (["Traceback (most recent call last):", "ConnectionError: Max retries exceeded", "ERROR: failed"], UNREACHABLE),
        (["Traceback (most recent call last):", "ValueError: 1"], "failed"),
        (["a row timed out", "error: data/tasks/topic.csv:3: unknown label"], "failed"),
        (["error: topic: expected: a label; broken by 1 of 9 rows (x): timeout-1 “Connection refused”"], "failed"),
        (["a row timed out", *"abcde"], "failed"),
    ],
)
def test_only_what_passes_by_itself_has_a_name_among_failures(lines: list[str], kind: str) -> None:
    assert _failure(lines) == kind


def test_a_stage_that_hangs_is_ended_with_all_that_it_started(project: Path) -> None:
    text = (project / "dvc.yaml").read_text()
    (project / "dvc.yaml").write_text(text.replace("cat source.txt > first.txt", "sleep 4321"))
    code, outcome = reproduce("first", project, print, seconds=5)
    assert (code != 0, outcome) == (True, TIMED_OUT)
    # Also what began a session of its own.
    shell = subprocess.Popen(["bash", "-c", "setsid sleep 4321 & echo begun; sleep 4321"], stdout=subprocess.PIPE)
    assert shell.stdout is not None
    assert shell.stdout.readline() == b"begun\n"
    _end_tree(shell.pid)
    shell.wait(10)
    assert not [one for one in psutil.process_iter(["cmdline"]) if "4321" in (one.info["cmdline"] or [])]
