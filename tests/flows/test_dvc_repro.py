"""flows.dvc_repro against a real DVC project."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psutil
import pytest

from flows.dvc_repro import KILLED, LOCKED_OUT, TIMED_OUT, UNREACHABLE, _end_tree, _failure, reproduce
from flows.graph import read_graph


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
