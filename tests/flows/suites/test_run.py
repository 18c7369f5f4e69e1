"""flows.suites.run: chains of tasks side by side; one that fails stops no other, and what is done stays done."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flows.suites.run import is_stale, run_stages, wanted_stages, workers

GRAPH = """
stages:
  shared: {cmd: "echo once > shared.txt", outs: [shared.txt]}
  finetune:
    foreach: [one, two]
    do: {cmd: "cp ${item}.in ${item}.txt", deps: [shared.txt, "${item}.in"], outs: ["${item}.txt"]}
  evaluate:
    foreach: [one, two]
    do: {cmd: "cp ${item}.txt ${item}.out", deps: ["${item}.txt"], outs: ["${item}.out"]}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project below another one, as a suite's is."""
    for folder in (tmp_path, tmp_path / "inner"):
        folder.mkdir(exist_ok=True)
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        subprocess.run(["dvc", "init", "-q"], cwd=folder, check=True)
    (tmp_path / "inner" / "dvc.yaml").write_text(GRAPH)
    (tmp_path / "inner" / "one.in").write_text("1")
    return tmp_path / "inner"


def test_a_task_that_fails_stops_no_other_and_what_is_done_stays_done(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.parent)
    names = [stage.name for stage in wanted_stages(project, ["one"], teacher_only=True)]
    assert names == ["shared", "finetune@one"]
    said: list[str] = []
    failed = run_stages(project, ["one", "two"], False, 2, {}, said.append)
    assert list(failed) == ["finetune@two"]
    assert (project / "one.out").read_text() == "1"
    assert not (project / "two.out").exists()
    (project / "two.in").write_text("2")
    said.clear()
    assert run_stages(project, ["one", "two"], False, 2, {}, said.append) == {}
    begun = [line for line in said if line.endswith("…")]
    assert begun == ["[finetune@two] …", "[evaluate@two] …"]
    assert not is_stale(project, ["one", "two"], teacher_only=False)
    assert workers(3) == 3
