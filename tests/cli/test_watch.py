"""lianzi watch: the command's exit code, and the run that follows drift."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import run, watch
from cli.main import main
from components.errors import ArtifactError
from components.params import load_params
from flows.watching.watch import FOLDER, Outcome, Watch
from flows.watching.windows import Watched


def test_drift_is_an_exit_code_and_what_follows_is_run_only_where_it_is_due(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look itself is tested beside it, the pipeline beside `lianzi run`."""
    looks, ran = [], []

    def look(root: Path, params: object, tasks: object, how: Watch) -> list[Outcome]:
        looks.append(how)
        return [Outcome("form", 1, Watched([], 0), ["form: drift"], True, how.act)]

    monkeypatch.setattr(watch, "watch_tasks", look)
    monkeypatch.setattr(run, "run_pipeline", lambda root, parallel: ran.append(root))
    for words, runs in ((["form"], 0), (["form", "--act", "--window", "60"], 1), (["--report"], 1)):
        done = CliRunner().invoke(main, ["watch", *words])
        assert (done.exit_code, len(ran)) == (3, runs)
        assert "form: drift" in done.output
    limits = load_params(project / "params.yaml").watch
    assert [how.limits.window for how in looks] == [limits.window, 60, limits.window]
    assert (project / ".lianzi" / "watch" / "form" / "index.html").is_file()


def test_a_run_that_failed_is_tried_again_on_its_data(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(root: Path, parallel: object) -> None:
        raise ArtifactError("no space", "make room")

    outcome = Outcome("form", 1, Watched([], 0), [], True, True)
    monkeypatch.setattr(watch, "watch_tasks", lambda *_: [outcome])
    monkeypatch.setattr(run, "run_pipeline", fails)
    note = project / FOLDER / "form" / "drift.json"
    note.parent.mkdir(parents=True)
    note.write_text(json.dumps({"version": 1, "since": "", "tried": "data", "run": ""}))
    assert CliRunner().invoke(main, ["watch", "--act"]).exit_code != 3
    assert json.loads(note.read_text())["tried"] == ""
