"""cli.sweep: a mistake in the file is a line, and nothing is begun."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import main
from tests.small_sweeps import SWEEP, make_sweep_project


def test_a_mistake_is_a_line_and_nothing_is_begun(
    tmp_path: Path, root: Path, mlflow_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_sweep_project(root, mlflow_store, tmp_path)
    monkeypatch.chdir(project)
    Path("search.yaml").write_text(SWEEP.replace("trials: 12", "trials: 0"))
    for name, told in (("search.yaml", "search.yaml:5: trials: "), ("nowhere.yaml", "nowhere.yaml: no such file")):
        answer = CliRunner().invoke(main, ["sweep", name])
        assert (answer.exit_code, told in answer.output) == (1, True)
    assert not (project / ".lianzi").exists()
