"""flows.ties: models, runs, versions and rows in MLflow lead to each other, whichever way a result came to be here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components import tracking
from components.artifacts import digest
from components.registry import Registry
from flows.record import is_current, record_missing
from tests.small_evaluated import write_evaluated, write_timings


@pytest.fixture
def evaluated(here: Path) -> Path:
    return write_evaluated(here)


def experiment() -> str:
    found = tracking.connect().get_experiment_by_name(tracking.EXPERIMENT)
    assert found is not None
    return str(found.experiment_id)


def models(order: str = "metrics.macro_f1") -> list[Any]:
    by = [{"field_name": order, "ascending": False}]
    return list(tracking.connect().search_logged_models([experiment()], order_by=by))


def run_named(name: str) -> Any:
    client = tracking.connect()
    (found,) = client.search_runs([experiment()], f"attributes.run_name = '{name}'")
    return client.get_run(found.info.run_id)


def register(root: Path) -> Any:
    client = Registry().client
    client.create_registered_model("topic")
    pyfunc = client.create_logged_model(experiment(), "topic")
    client.finalize_logged_model(pyfunc.model_id, "READY")
    tags = {"bundle": digest(root / "artifacts/topic/bundle"), "rung": "int8"}
    return client.create_model_version("topic", f"models:/{pyfunc.model_id}", model_id=pyfunc.model_id, tags=tags)


def test_the_models_of_a_restored_result_are_ranked_by_quality_size_and_latency(evaluated: Path) -> None:
    write_timings(evaluated, digest(evaluated / "artifacts/topic/bundle"))
    record_missing(evaluated)
    assert [model.name for model in models()] == ["topic-teacher", "topic-int8", "topic-onnx"]
    assert [model.name for model in models("metrics.size_megabytes")] == ["topic-teacher", "topic-onnx", "topic-int8"]
    assert models("metrics.latency_ms/batch_1/p50")[-1].name == "topic-int8"
    (metric,) = [one for one in models()[1].metrics if one.key == "macro_f1"]
    assert (metric.value, metric.dataset_name) == (0.8125, "artifacts/tasks/topic/test.jsonl")
    assert metric.dataset_digest == "0" * 36
    assert metric.run_id == run_named("evaluate@topic").info.run_id


def test_a_model_leads_to_the_run_and_parameters_that_made_it_and_the_run_to_its_model(evaluated: Path) -> None:
    record_missing(evaluated)
    teacher, int8, _ = models()
    finetune = run_named("finetune@topic")
    assert teacher.source_run_id == finetune.info.run_id
    assert teacher.params["finetune.learning_rate"] == int8.params["finetune.learning_rate"] == "0.5"
    assert int8.source_run_id == run_named("build@topic").info.run_id
    assert [one.model_id for one in finetune.outputs.model_outputs] == [teacher.model_id]
    assert (teacher.tags["dvc"], teacher.tags["task"]) == ("artifacts/topic/teacher@aa.dir", "topic")
    evaluate = run_named("evaluate@topic")
    assert evaluate.data.params["finetune.learning_rate"] == "0.5"
    assert evaluate.data.tags["made_by.finetune"] == finetune.info.run_id
    assert {one.model_id for one in evaluate.inputs.model_inputs} == {model.model_id for model in models()}


def test_a_version_and_the_model_it_ships_lead_to_each_other(evaluated: Path) -> None:
    registered = register(evaluated)
    record_missing(evaluated)
    client = tracking.connect()
    (int8,) = [model for model in models() if model.name == "topic-int8"]
    version = client.get_model_version("topic", "1")
    assert version.tags["model"] == int8.model_id
    assert version.tags["dvc"] == "artifacts/topic/bundle@bb.dir"
    assert version.tags["evaluated_by"] == run_named("evaluate@topic").info.run_id
    assert json.loads(int8.tags["mlflow.modelVersions"]) == [{"name": "topic", "version": 1}]
    pyfunc = client.get_logged_model(registered.source.removeprefix("models:/"))
    assert {one.key: one.value for one in pyfunc.metrics or []}["macro_f1"] == 0.8125
    assert pyfunc.tags["rung_model"] == int8.model_id


def test_nothing_is_logged_twice_and_a_later_release_adds_what_it_found(evaluated: Path) -> None:
    record_missing(evaluated)
    (evaluated / ".lianzi/recorded.json").unlink()
    record_missing(evaluated)
    assert len(models()) == 3
    history = tracking.connect().get_metric_history(run_named("evaluate@topic").info.run_id, "macro_f1")
    assert sorted((point.step, point.value) for point in history) == [(0, 0.875), (1, 0.75), (2, 0.8125)]
    assert is_current(evaluated)
    write_timings(evaluated, digest(evaluated / "artifacts/topic/bundle"))
    assert not is_current(evaluated)
    record_missing(evaluated)
    assert {one.key: one.value for one in models()[1].metrics}["latency_ms/batch_1/p50"] == 0.5


def test_the_pipeline_run_is_described_with_its_version_and_answers_are_a_table(evaluated: Path) -> None:
    register(evaluated)
    record_missing(evaluated)
    evaluate = run_named("evaluate@topic")
    parent = tracking.connect().get_run(evaluate.data.tags["mlflow.parentRunId"])
    page = parent.data.tags["mlflow.note.content"]
    assert "[topic version 1](#/models/topic/versions/1)" in page
    assert f"[finetune@topic](#/experiments/{experiment()}/runs/{run_named('finetune@topic').info.run_id})" in page
    table = Path(tracking.connect().download_artifacts(evaluate.info.run_id, "predictions.json")).read_text()
    assert json.loads(table)["data"][1] == ["test/line-2", "candidate", "Arts", "History", False]


def described(run_id: str) -> str:
    return str(tracking.connect().get_run(run_id).data.tags["mlflow.note.content"])


def look_again(root: Path) -> None:
    (root / ".lianzi/recorded.json").unlink(missing_ok=True)
    record_missing(root)


def test_only_the_run_that_evaluated_a_task_is_described_and_a_later_version_is_added(evaluated: Path) -> None:
    with tracking.pipeline_run("other", {}) as other:
        pass
    record_missing(evaluated)
    client = tracking.connect()
    parent = run_named("evaluate@topic").data.tags["mlflow.parentRunId"]
    assert "mlflow.note.content" not in client.get_run(other.id).data.tags
    assert "topic version" not in described(parent)
    register(evaluated)
    look_again(evaluated)
    assert "[topic version 1]" in described(parent)


def test_a_description_that_a_person_typed_stays(evaluated: Path) -> None:
    record_missing(evaluated)
    parent = run_named("evaluate@topic").data.tags["mlflow.parentRunId"]
    tracking.connect().set_tag(parent, "mlflow.note.content", "The run for the talk.")
    register(evaluated)
    look_again(evaluated)
    assert described(parent) == "The run for the talk."


def test_a_pipeline_run_that_was_deleted_in_mlflow_is_passed_over(
    evaluated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record_missing(evaluated)
    tracking.connect().delete_run(run_named("evaluate@topic").data.tags["mlflow.parentRunId"])
    look_again(evaluated)
    assert is_current(evaluated)
    assert capsys.readouterr().err == ""


def test_runs_that_could_not_be_tied_together_are_told_and_tried_again(
    evaluated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = evaluated / "artifacts/tasks/topic/test.jsonl"
    whole = rows.read_text()
    rows.write_text("no JSON")
    assert record_missing(evaluated) == 3
    assert capsys.readouterr().err.startswith("MLflow has every run, but not all models and descriptions: ")
    assert not is_current(evaluated)
    rows.write_text(whole)
    assert record_missing(evaluated) == 0
    assert len(models()) == 3


def test_without_the_rows_models_wait_until_these_are_pulled(evaluated: Path) -> None:
    rows = evaluated / "artifacts/tasks/topic"
    rows.rename(evaluated / "away")
    record_missing(evaluated)
    assert models() == []
    assert is_current(evaluated)
    (evaluated / "away").rename(rows)
    assert record_missing(evaluated) == 0
    assert len(models()) == 3
