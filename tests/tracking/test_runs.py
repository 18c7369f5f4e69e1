"""components.tracking.runs against a real SQLite store."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components import tracking
from components.errors import Interrupted
from components.params import Params


def runs() -> dict[str, Any]:
    client = tracking.connect()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_a_stage_is_a_nested_run_with_params_metrics_and_curves(here: Path, params: Params) -> None:
    with (
        tracking.pipeline_run("pipeline", {}),
        tracking.stage_run("finetune", "topic", {"config": params.finetune, "task": params.tasks["topic"]}, {}) as run,
    ):
        for step in range(2500):
            run.log_metrics({"loss": 1 / (step + 1), "system/tokens_per_second": 9.0}, step)
        run.log_result({"teacher": {"macro_f1": 0.9}})
    found = runs()
    stage = found["finetune@topic"]
    assert stage.data.tags["mlflow.parentRunId"] == found["pipeline"].info.run_id
    assert stage.data.params["finetune.epochs"] == str(params.finetune.epochs)
    assert stage.data.params["task.language"] == "en"
    assert stage.data.metrics["teacher/macro_f1"] == 0.9
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    history = tracking.connect().get_metric_history(stage.info.run_id, "loss")
    assert [metric.step for metric in history] == list(range(2500))


def test_a_failed_stage_ends_failed_and_an_interrupted_one_killed(here: Path) -> None:
    with pytest.raises(ValueError, match="bug"), tracking.stage_run("curate", None, {}, {}):
        raise ValueError("bug")
    with pytest.raises(KeyboardInterrupt), tracking.stage_run("validate", None, {}, {}):
        raise KeyboardInterrupt
    found = runs()
    assert found["curate"].info.status == "FAILED"
    assert found["validate"].info.status == "KILLED"


def test_the_run_of_a_killed_process_does_not_stay_running(here: Path) -> None:
    program = (
        "import os, signal; from components import tracking\n"
        "with tracking.stage_run('curate', None, {}, {}): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert runs()["curate"].info.status == "RUNNING"
    tracking.sweep(tracking.connect())
    assert runs()["curate"].info.status == "KILLED"


def test_a_trial_killed_as_soon_as_it_has_a_run_goes_on_in_it(here: Path) -> None:
    program = (
        "import os, signal; from components import tracking\n"
        "with tracking.resumable_run('trial 3', 'a study/3', {}, {'a': 1}, None): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    begun = runs()["trial 3"]
    with tracking.resumable_run("trial 3", "another study/3", {}, {"a": 1}, None) as other:
        assert other.id != begun.info.run_id
    with tracking.resumable_run("trial 3", "a study/3", {}, {"a": 1}, None) as run:
        assert run.id == begun.info.run_id
    assert tracking.connect().get_run(run.id).info.status == "FINISHED"


def history(run_id: str, name: str) -> list[tuple[int, float]]:
    return sorted((metric.step, metric.value) for metric in tracking.connect().get_metric_history(run_id, name))


def test_a_run_carried_on_has_no_step_twice_and_none_missing(here: Path, params: Params) -> None:
    """The first try told the store more than its checkpoint knows; the second comes by all of that again."""
    sections = {"config": params.pretrain}
    steps = [(step, {"loss": 1 / step, "gradient_norm": 0.5}) for step in range(1, 41)]
    with contextlib.suppress(Interrupted), tracking.stage_run("pretrain", None, sections, {}) as run:
        for step, metrics in steps[:25]:
            run.log_metrics(metrics, step)
        raise Interrupted
    assert runs()["pretrain"].info.status == "KILLED"
    for stop in (30, 40):
        with tracking.stage_run("pretrain", None, sections, {}, begun=run.id) as again:
            assert again.id == run.id
            for step, metrics in steps[:stop]:
                again.log_metrics(metrics, step)
                again.log_metrics({"system/tokens_per_second": 9.0}, step)
            if stop == 40:
                again.log_metrics({"validation_loss": 0.5}, 40)
                again.log_result({"loss": 0.025})
    assert [step for step, _ in again.steps] == [*(step for step in range(1, 41) for _ in range(2)), 40]
    # The result is the curve's last point.
    assert history(run.id, "loss") == [(step, 1 / step) for step in range(1, 41)]
    assert history(run.id, "gradient_norm") == [(step, 0.5) for step in range(1, 41)]
    assert [step for step, _ in history(run.id, "system/tokens_per_second")] == list(range(1, 41))
    assert history(run.id, "validation_loss") == [(40, 0.5)]
    assert list(runs()) == ["pretrain"]
    assert runs()["pretrain"].info.status == "FINISHED"


def test_a_run_killed_between_its_results_and_its_end_has_them_once(here: Path, params: Params) -> None:
    sections = {"config": params.pretrain}

    def work(run: tracking.TrackedRun) -> None:
        run.log_metrics({"loss": 0.5}, 10)
        run.log_result({"loss": 0.25, "tokens_seen": 960})

    with contextlib.suppress(Interrupted), tracking.stage_run("pretrain", None, sections, {}) as run:
        work(run)
        raise Interrupted
    with tracking.stage_run("pretrain", None, sections, {}, begun=run.id) as again:
        work(again)
    assert sorted(history(run.id, "loss")) == [(10, 0.25), (10, 0.5)]
    assert history(run.id, "last/loss") == [(10, 0.5)]
    assert history(run.id, "tokens_seen") == [(0, 960)]


def test_a_run_carried_on_belongs_to_the_pipeline_run_that_carries_it_on(here: Path) -> None:
    with pytest.raises(Interrupted), tracking.stage_run("pretrain", None, {}, {}) as run:
        raise Interrupted
    with tracking.pipeline_run("second", {}), tracking.stage_run("pretrain", None, {}, {}, begun=run.id):
        assert runs()["pretrain"].info.status == "RUNNING"
    found = runs()
    assert found["pretrain"].data.tags["mlflow.parentRunId"] == found["second"].info.run_id
    assert {run.info.status for run in found.values()} == {"FINISHED"}


@pytest.mark.parametrize("deleted", [False, True])
def test_a_run_that_is_no_more_is_begun_anew(here: Path, params: Params, deleted: bool) -> None:
    begun = "0" * 32
    if deleted:
        with tracking.stage_run("curate", None, {}, {}) as run:
            pass
        begun = run.id
        tracking.connect().delete_run(begun)
    with tracking.stage_run("pretrain", None, {"config": params.pretrain}, {}, begun=begun) as run:
        run.log_metrics({"loss": 1.0}, 1)
    assert run.id != begun
    found = runs()["pretrain"]
    assert found.info.run_id == run.id
    assert found.info.status == "FINISHED"
    assert found.data.params["pretrain.steps"] == str(params.pretrain.steps)
    assert history(run.id, "loss") == [(1, 1.0)]


def test_inputs_carry_dvcs_hashes(here: Path) -> None:
    (here / "data.dvc").write_text("outs:\n- md5: 0123456789abcdef0123456789abcdef.dir\n  path: data\n")
    (here / "dvc.lock").write_text(
        "stages:\n  curate:\n    outs:\n    - path: artifacts/corpus\n      md5: fedcba9876543210fedcba9876543210.dir\n"
    )
    (here / "data").mkdir()
    with tracking.stage_run("curate", None, {}, {"data": Path("data"), "corpus": Path("artifacts/corpus")}):
        pass
    inputs = runs()["curate"].inputs.dataset_inputs
    assert [(item.dataset.name, item.dataset.digest) for item in inputs] == [
        ("data", "0123456789abcdef0123456789abcdef.dir")
    ]


def test_the_commit_and_whether_it_is_dirty_are_tagged(here: Path) -> None:
    for words in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *words], check=True)
    with tracking.stage_run("curate", None, {}, {}):
        pass
    tags = runs()["curate"].data.tags
    assert len(tags["mlflow.source.git.commit"]) == 40
    assert tags["git.dirty"] == "false"
