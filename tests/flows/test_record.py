"""flows.record: whatever way a result came to be up to date, MLflow has a run of it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from components import tracking
from flows.record import NOTE, is_current, read_results, record_missing

SECTION = {"epochs": 2, "learning_rate": 1, "stop_words": ["on", "off"]}
CURVES = "step,loss,macro_f1\n10,0.5,\n20,0.25,0.75\n"


def write_result(
    folder: Path, stage: str, metrics: dict[str, Any], params: dict[str, Any], curves: str = "", page: str = ""
) -> None:
    """Lay a stage's files, and its entry in dvc.lock, as DVC leaves them."""
    from ruamel.yaml import YAML

    base, _, task = stage.partition("@")
    files = {f"metrics/{base}/{task}.json": json.dumps(metrics)} | (
        {f"metrics/{base}/{task}.csv": curves} if curves else {}
    )
    outs = []
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        outs.append({"path": name, "md5": hashlib.md5(text.encode()).hexdigest()})
    outs += [{"path": page, "md5": "01.dir"}] if page else []
    yaml = YAML()
    lock = yaml.load((folder / "dvc.lock").read_text()) if (folder / "dvc.lock").exists() else {"stages": {}}
    (folder / "params.yaml").write_text("tasks: {topic: {kind: classification, language: en, max_length: 16}}\n")
    lock["stages"][stage] = {"params": {"params.yaml": params}, "outs": outs}
    with (folder / "dvc.lock").open("w") as stream:
        yaml.dump(lock, stream)


def runs_named(name: str) -> list[Any]:
    client = tracking.connect()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], f"attributes.run_name = '{name}'"))


@pytest.fixture
def restored(here: Path) -> Path:
    """A project whose results were pulled: nothing ran here."""
    write_result(
        here, "finetune@topic", {"macro_f1": 0.75, "best": {"epoch": 2}}, {"seed": 17, "finetune": SECTION}, CURVES
    )
    page = here / "reports/evaluate/topic"
    scores = {"teacher": {"macro_f1": 0.875}}
    write_result(here, "evaluate@topic", scores, {"tasks.topic": {"language": "en"}}, page="reports/evaluate/topic")
    page.mkdir(parents=True)
    (page / "index.html").write_text("<p>0.875</p>")
    return here


def test_a_restored_result_has_its_params_metrics_curves_and_page(restored: Path) -> None:
    assert record_missing(restored) == 2
    (finetune,), (evaluate,) = runs_named("finetune@topic"), runs_named("evaluate@topic")
    assert finetune.data.metrics == {"macro_f1": 0.75, "best/epoch": 2.0, "loss": 0.25}
    assert finetune.data.params["finetune.epochs"] == "2"
    assert evaluate.data.params["task.language"] == "en"
    assert evaluate.data.tags["lianzi.restored"] == "true"
    assert (evaluate.data.tags["stage"], evaluate.data.tags["task"]) == ("evaluate", "topic")
    client = tracking.connect()
    curve = client.get_metric_history(finetune.info.run_id, "macro_f1")
    assert [(point.step, point.value) for point in curve] == [(20, 0.75)]
    assert Path(client.download_artifacts(evaluate.info.run_id, "evaluate/index.html")).read_text() == "<p>0.875</p>"
    (parent,) = [run for run in _all() if run.info.run_id == evaluate.data.tags["mlflow.parentRunId"]]
    assert parent.data.metrics["topic/teacher/macro_f1"] == 0.875
    assert parent.info.status == "FINISHED"


def _all() -> list[Any]:
    client = tracking.connect()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def test_told_once_nothing_is_missing_and_that_is_seen_at_once(restored: Path) -> None:
    assert record_missing(restored) == 2
    began = time.monotonic()
    assert is_current(restored)
    assert record_missing(restored) == 0
    assert time.monotonic() - began < 0.5
    # Even without that note nothing is recorded twice.
    (restored / NOTE).unlink()
    assert record_missing(restored) == 0
    assert len(runs_named("evaluate@topic")) == 1
    # Another result is another run; the former one, applied again, has its own still.
    former = (restored / "dvc.lock").read_text(), (restored / "metrics/evaluate/topic.json").read_text()
    write_result(restored, "evaluate@topic", {"teacher": {"macro_f1": 0.5}}, {"tasks.topic": {"language": "en"}})
    assert record_missing(restored) == 1
    (restored / "dvc.lock").write_text(former[0])
    (restored / "metrics/evaluate/topic.json").write_text(former[1])
    assert record_missing(restored) == 0
    assert sorted(run.data.metrics["teacher/macro_f1"] for run in runs_named("evaluate@topic")) == [0.5, 0.875]


def test_a_result_that_a_stage_made_here_is_known_by_its_run(here: Path, params: Any) -> None:
    metrics, section = {"teacher": {"macro_f1": 0.75}}, params.finetune.model_dump()
    with tracking.stage_run("finetune", "topic", {"config": params.finetune}, {}) as run:
        run.log_result(metrics)
    write_result(here, "finetune@topic", metrics, {"finetune": section | {"patience": float(section["patience"])}})
    assert record_missing(here) == 0
    (found,) = runs_named("finetune@topic")
    assert "lianzi.result" in found.data.tags
    # Equal numbers under another parameter are another result.
    write_result(here, "finetune@topic", metrics, {"finetune": section | {"epochs": 99}})
    assert record_missing(here) == 1


def test_a_metrics_file_that_is_not_the_locks_is_no_result(restored: Path) -> None:
    (restored / "metrics/evaluate/topic.json").write_text('{"shipped": {"macro_f1": 1.0}}')
    results, whole = read_results(restored)
    assert [result.name for result in results] == ["finetune@topic"]
    assert not whole
    assert record_missing(restored) == 1
    assert not is_current(restored)


def test_what_a_task_left_that_is_in_params_no_more_is_no_result(restored: Path) -> None:
    write_result(restored, "finetune@gone", {"macro_f1": 0.5}, {})
    results, whole = read_results(restored)
    assert {result.name for result in results} == {"finetune@topic", "evaluate@topic"}
    assert whole


def test_a_store_that_is_away_stops_nothing(
    restored: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert record_missing(restored) == 0
    assert len(capsys.readouterr().err.splitlines()) == 1
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert record_missing(restored) == 2


@pytest.mark.parametrize("task", ["lock", "store", "topic"])
def test_new_timings_are_to_be_told_whatever_the_task_is_called(restored: Path, task: str) -> None:
    record_missing(restored)
    page = restored / "reports/speed" / task / "speed.json"
    page.parent.mkdir(parents=True)
    page.write_text("{}")
    assert not is_current(restored)
    record_missing(restored)
    assert is_current(restored)
    (restored / "dvc.lock").write_text((restored / "dvc.lock").read_text() + "\n")
    assert not is_current(restored)


def test_without_results_mlflow_is_not_even_imported(here: Path) -> None:
    (here / "dvc.lock").write_text("stages: {first: {outs: [{path: first.txt, md5: '01'}]}}\n")
    (here / "params.yaml").write_text("tasks: {}\n")
    program = "import sys; from pathlib import Path; from flows.record import record_missing\n"
    program += "assert record_missing(Path.cwd()) == 0 and 'mlflow' not in sys.modules"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
