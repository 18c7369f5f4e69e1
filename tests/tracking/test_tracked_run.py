"""components.tracking.tracked_run: curves and results as they are, and nothing lost while MLflow is away."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components import tracking
from components.params import Params
from components.run import SYSTEM
from components.tracking.tracked_run import UNDELIVERED, Opening, TrackedRun, deliver
from flows.settings import change_params
from tests.mlflow_server import MlflowServer
from tests.preloaded import preloaded


class Cable:
    """What lies between a run and its store; `cut`, nothing arrives."""

    def __init__(self, client: Any) -> None:
        self.client, self.cut, self.asked = client, False, 0

    def __getattr__(self, name: str) -> Any:
        if self.cut:
            self.asked += 1
            raise ConnectionError("the store is away")
        return getattr(self.client, name)


def history(run_id: str, name: str) -> list[tuple[int, float]]:
    return [(metric.step, metric.value) for metric in tracking.connect().get_metric_history(run_id, name)]


def found_run(name: str) -> Any:
    client = tracking.connect()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], f"attributes.run_name = '{name}'")
    return run


def test_a_result_is_the_value_shown_and_no_false_point_in_its_curve(here: Path) -> None:
    with tracking.stage_run("distill", "topic", {}, {}) as run:
        for step, score in ((10, 0.6), (20, 0.8), (30, 0.7)):
            run.log_metrics({"macro_f1": score, "validation_loss": 1 - score, "loss": 1 / step}, step)
        # The best weights are kept, those of step 20; the loss is that of the last step.
        run.log_result({"macro_f1": 0.8, "validation_loss": 0.1, "loss": 1 / 30, "teacher": {"macro_f1": 0.9}})
    shown = found_run("distill@topic").data.metrics
    best = {"macro_f1": 0.8, "validation_loss": 0.1, "loss": 1 / 30, "teacher/macro_f1": 0.9}
    assert shown == {**best, "last/macro_f1": 0.7, "last/validation_loss": pytest.approx(0.3)}
    assert history(run.id, "loss") == [(10, 1 / 10), (20, 1 / 20), (30, 1 / 30)]
    assert sorted(history(run.id, "macro_f1")) == [(10, 0.6), (20, 0.8), (30, 0.7), (30, 0.8)]
    assert history(run.id, "teacher/macro_f1") == [(0, 0.9)]


def test_what_a_store_does_not_take_is_sent_when_it_answers_again(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tracking.stage_run("pretrain", None, {}, {}) as run:
        cable = Cable(run.client)
        run.client = cable  # type: ignore[assignment]
        for step in range(1, 301):
            cable.cut = 100 < step <= 200
            run.log_metrics({"loss": 1 / step}, step)
            if step in (120, 130, 250):
                run.flush()
            if step == 150:
                (here / "page.html").write_text("as it was then")
                run.log_files(here / "page.html", "pages")
                (here / "page.html").write_text("as it is now")
    assert history(run.id, "loss") == [(step, 1 / step) for step in range(1, 301)]
    kept = tracking.connect().download_artifacts(run.id, "pages/page.html")
    assert Path(kept).read_text() == "as it was then"
    assert found_run("pretrain").info.status == "FINISHED"
    assert not list((here / UNDELIVERED).glob("*"))
    said = capsys.readouterr()
    assert said.err.count("the store is away") == 1
    assert said.out.count("MLflow answers again") == 1
    assert cable.asked > 1


def test_a_store_that_stays_away_is_told_by_the_next_run(
    here: Path, params: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    with tracking.stage_run("pretrain", None, {"config": params.pretrain}, {}) as run:
        run.log_metrics({"loss": 1.0}, 1)
        run.flush()
        cable = Cable(run.client)
        run.client, cable.cut = cable, True  # type: ignore[assignment]
        run.log_metrics({"loss": 0.5, f"{SYSTEM}tokens_per_second": 9.0}, 2)
        (here / "page.html").write_text("a page")
        run.log_files(here / "page.html", "pages")
        run.log_result({"loss": 0.25})
    assert "5 metrics of this run are kept in .lianzi/undelivered" in capsys.readouterr().err
    assert found_run("pretrain").info.status == "RUNNING"

    with tracking.stage_run("finetune", "topic", {}, {}):
        pass
    assert "the records of 1 runs" in capsys.readouterr().err
    assert found_run("pretrain").info.status == "FINISHED"
    assert sorted(history(run.id, "loss")) == [(1, 1.0), (2, 0.25), (2, 0.5)]
    assert found_run("pretrain").data.metrics["loss"] == 0.25
    assert Path(tracking.connect().download_artifacts(run.id, "pages/page.html")).read_text() == "a page"
    assert not list((here / UNDELIVERED).glob("*"))
    assert deliver(tracking.connect()) == 0


def test_a_stage_begins_without_the_store_that_its_pipeline_run_began_with(
    here: Path, params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracking.pipeline_run("pipeline", {}) as pipeline:
        with monkeypatch.context() as away:
            away.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
            away.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
            with tracking.stage_run("pretrain", None, {"config": params.pretrain}, {}) as run:
                run.log_metrics({"loss": 0.5}, 1)
            assert run.id == ""
        # The same store answers again: what was kept for it is taken as if it had had this address.
        for path in (here / UNDELIVERED).glob("*/run.json"):
            path.write_text(path.read_text().replace("http://127.0.0.1:9", tracking.store_name()))
        with tracking.stage_run("finetune", "topic", {}, {}):
            pass
    found = found_run("pretrain")
    assert found.info.status == "FINISHED"
    assert found.data.metrics["loss"] == 0.5
    assert found.data.params["pretrain.steps"] == str(params.pretrain.steps)
    assert found.data.tags["mlflow.parentRunId"] == pipeline.id


def test_what_was_kept_of_a_run_that_was_deleted_goes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    client = tracking.connect()
    run = TrackedRun(client, "0" * 32)
    run.log_metrics({"loss": 1.0}, 1)
    run.finish("FINISHED")
    assert list((here / UNDELIVERED).glob("*/run.json"))
    assert deliver(client) == 0
    assert "MLflow has no run 000" in capsys.readouterr().err
    assert not list((here / UNDELIVERED).glob("*"))


@pytest.fixture
def server(here: Path, mlflow_store: Path) -> MlflowServer:
    """With an empty store of its own, not started yet."""
    (here / "server").mkdir()
    shutil.copy(mlflow_store / "mlflow.db", here / "server")
    return MlflowServer(here / "server", here / "server" / "mlflow.db")


@pytest.fixture
def start_training(
    here: Path, root: Path, server: MlflowServer, tokens_folder: Path, tokenizer_folder: Path
) -> Callable[[], subprocess.Popen[str]]:
    """Start a small pretraining that the server tracks."""
    shutil.copy(root / "params.yaml", here)
    small = ("threads=1", "steps=60", "batch_size=8", "sequence_length=64", "validate_every=20")
    settings = ("model.depth=1", "model.width=null", "pretrain.validation_sequences=8")
    change_params(here / "params.yaml", (*settings, *(f"pretrain.{one}" for one in small)))
    words = ["pretrain", "--tokens", str(tokens_folder), "--tokenizer", str(tokenizer_folder)]
    words += ["--pretrained", "out/pretrained", "--metrics", "m.json", "--curves", "c.csv"]
    environment = (
        os.environ
        | preloaded()
        | {
            "MLFLOW_TRACKING_URI": server.address,
            "LIANZI_CHECKPOINT_SECONDS": "0",
            "LIANZI_CACHE": str(here / ".cache"),
        }
    )
    command = [sys.executable, "-m", "components", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return lambda: subprocess.Popen(command, cwd=here, env=environment, text=True, **pipes)


def await_a_checkpoint(folder: Path, training: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not list(folder.glob(".cache/checkpoints/pretrain/*/step-*")):
        assert training.poll() is None, training.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_a_training_outlives_the_server_that_tracks_it(
    here: Path,
    server: MlflowServer,
    start_training: Callable[[], subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with server:
        training = start_training()
        await_a_checkpoint(here, training)
        server.kill()
        _, told = training.communicate(timeout=240)
        assert training.returncode == 0, told
        assert "Traceback" not in told
        assert told.count("refuses data") == 1
        assert (here / "out/pretrained/manifest.json").is_file()
        assert (here / UNDELIVERED).is_dir()

        server.start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
        with tracking.pipeline_run("the next run", {}):
            pass
        run = found_run("pretrain")
        assert run.info.status == "FINISHED"
        with (here / "c.csv").open(encoding="utf-8") as stream:
            curve = [int(row["step"]) for row in csv.DictReader(stream) if row["gradient_norm"]]
        assert curve
        assert [step for step, _ in history(run.info.run_id, "gradient_norm")] == curve
        figures = tracking.connect().list_artifacts(run.info.run_id, "figures")
        assert [item.path for item in figures] == ["figures/loss.png"]


def test_steps_of_pretraining_have_their_tokens(here: Path) -> None:
    run = TrackedRun(None, "", opening=Opening("pretrain", {}), tokens_a_step=1024)
    run.log_metrics({"loss": 2.0}, 6)
    run.finish("FINISHED")
    assert tracking.connect().get_run(run.id).data.metrics == {"loss": 2.0, "tokens": 6144.0}
    assert run.steps == [(6, {"loss": 2.0})]
