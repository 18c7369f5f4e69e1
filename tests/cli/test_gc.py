"""cli.gc: what it says where nothing may be removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.gc import collect_garbage
from tests.small_results import make_results, run


def test_a_cache_outside_the_project_is_left_alone(
    tmp_path: Path, root: Path, mlflow_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "project").mkdir()
    project = make_results(root, mlflow_store, tmp_path / "project")
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run(project, "dvc", "config", "cache.dir", str(tmp_path / "shared"))
    collect_garbage(project, yes=True)
    assert "may be shared" in capsys.readouterr().out
