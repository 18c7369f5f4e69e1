"""flows.scheduling.stage_run: a worker works only where the run of the pipeline does. It runs in test_gpu_pool.py."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from components import tracking
from components.errors import ParameterError
from components.lease import TURN, lease, signed_at
from flows.dvc_repro import reproduce
from flows.scheduling import stage_run
from flows.scheduling.stage_run import _check_shared, _ended_with


def test_a_copy_of_the_folder_is_refused(tmp_path: Path) -> None:
    ours, copy = tmp_path / "ours", tmp_path / "copy"
    with lease(ours / TURN, "lianzi run", 0, print), lease(copy / TURN, "lianzi run", 0, print):
        _check_shared(ours, signed_at(ours), tracking.store_name())
        with pytest.raises(ParameterError, match="on this worker's machine it is another folder than the run's"):
            _check_shared(copy, signed_at(ours), tracking.store_name())


def test_another_store_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tracking.store_name()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://name:secret@elsewhere")
    with lease(tmp_path / TURN, "lianzi run", 0, print), pytest.raises(ParameterError) as refused:
        _check_shared(tmp_path, signed_at(tmp_path), store)
    assert "this worker logs to http://***@elsewhere" in str(refused.value)


def test_a_folder_where_nobody_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError):
        _check_shared(tmp_path, "12 34.5", tracking.store_name())


def test_a_stage_ends_when_its_run_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_run, "PARENT_SECONDS", 0.1)
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["dvc", "init", "-q"], check=True)
    (tmp_path / "dvc.yaml").write_text("stages: {long: {cmd: sleep 321}}")
    with _ended_with(lambda: True):
        code, outcome = reproduce("long", tmp_path, print)
    assert (code != 0, outcome) == (True, "failed")
