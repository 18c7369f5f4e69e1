"""flows.turn: one run of a project's pipeline at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flows.turn import turn

OTHER = """
import sys
from pathlib import Path
from flows.turn import turn
with turn(Path(sys.argv[1]), "lianzi run"):
    print("mine", flush=True)
"""


def other(root: Path, project: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", OTHER, str(project)], cwd=root, stdout=subprocess.PIPE, text=True)


def test_a_second_run_waits_and_says_for_whom_in_one_line(tmp_path: Path, root: Path) -> None:
    with turn(tmp_path, "a scheduled run"):
        second = other(root, tmp_path)
        assert second.stdout is not None
        line = second.stdout.readline()
        assert line.startswith("another process (a scheduled run, pid ")
        assert line.endswith("is at work here; waiting for it (Ctrl-C: do not wait)\n")
    told, _ = second.communicate(timeout=60)
    assert told == "mine\n"
    assert second.returncode == 0


def test_who_has_the_turn_keeps_it_in_the_flow_it_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with turn(tmp_path, "lianzi run"), turn(tmp_path / ".", "a scheduled run"):
        pass
    with turn(tmp_path, "lianzi run"):
        pass
    assert capsys.readouterr().out == ""


def test_another_project_has_a_turn_of_its_own(tmp_path: Path, root: Path) -> None:
    with turn(tmp_path / "one", "lianzi run"):
        told, _ = other(root, tmp_path / "two").communicate(timeout=60)
    assert told == "mine\n"
