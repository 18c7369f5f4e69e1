"""flows.sweeping.flow: twelve trials, the stages before them once, killed and continued, the best one taken over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from components import tracking
from components.params import load_params
from components.tracking.inputs import read_lock
from flows.sweeping.spec import LocatedFile
from flows.sweeping.study import Study
from tests.processes import end, left_after
from tests.small_results import run
from tests.small_sweeps import make_sweep_project

WORDS = [sys.executable, "-m", "cli.main", "sweep", "search.yaml"]


@pytest.mark.slow
def test_a_sweep_that_is_killed_goes_on_and_its_best_trial_is_taken_over(
    tmp_path: Path, root: Path, mlflow_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_sweep_project(root, mlflow_store, tmp_path)
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    environment = os.environ | {"PYTHONPATH": str(root), "PREPARED": str(project / "prepared"), "TRAIN_SECONDS": "1"}
    database = project / ".lianzi" / "sweeps" / "search" / "study.db"

    first = subprocess.Popen(WORDS, cwd=project, env=environment, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    for line in first.stdout:  # until the third trial has ended
        if line.startswith("[trial 2] quality"):
            break
    others = psutil.Process(first.pid).children(recursive=True)
    assert others
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    try:
        assert left_after(others, 60) == []  # its stages, and Prefect's temporary server
    finally:
        end(others)
    before = {one.number: one for one in Study(database, LocatedFile(Path("search.yaml")).spec).trials()}
    assert 3 <= sum(one.state == "done" for one in before.values()) < 12

    told = subprocess.run(
        [*WORDS, "--take-over"], cwd=project, env=environment, capture_output=True, text=True, check=True
    )
    study = Study(database, LocatedFile(Path("search.yaml")).spec)
    trials, best = study.trials(), study.best()
    assert [one.state for one in trials] == ["done"] * 12
    assert all(trials[number].values == one.values for number, one in before.items() if one.values)
    assert (project / "prepared").read_text() == "once\n"
    assert trials[0].values == {"finetune.learning_rate": 0.001, "finetune.epochs": 3}  # of params.yaml
    assert not list((database.parent).glob("trial-*"))

    assert best is not None
    params = load_params(project / "params.yaml")
    assert (params.finetune.learning_rate, params.finetune.epochs) == tuple(best.values.values())
    assert f"Trial {best.number} is taken over" in told.stdout
    page = (project / "reports" / "sweeps" / "search" / "index.html").read_text()
    assert "Importance" in page
    assert "http" not in page.replace("http://www.w3.org", "")

    monkeypatch.setenv("PREPARED", str(project / "prepared"))
    run(project, "dvc", "repro", "-q", "train")  # restored
    run(project, "dvc", "repro", "-q", "--force", "--single-item", "train")  # computed anew
    outs = {out["path"]: out["md5"] for out in read_lock(project)["train"]["outs"]}
    assert outs == best.outputs

    client = tracking.connect()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.`lianzi.sweep` = 'search'")
    [whole] = [one for one in runs if "lianzi.trial" not in one.data.tags]
    nested = [one for one in runs if one.data.tags.get("mlflow.parentRunId") == whole.info.run_id]
    assert len(runs) == 13
    assert sorted(int(one.data.tags["lianzi.trial"]) for one in nested) == list(range(12))
    assert {one.info.status for one in runs} == {"FINISHED"}
    assert {one.data.metrics["objective"] for one in nested} == {one.value for one in trials}
