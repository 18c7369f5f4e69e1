"""flows.task_models: what a result of `evaluate` says of its models."""

from __future__ import annotations

from pathlib import Path

from components.tracking.inputs import Input, read_lock
from flows.results import read_results
from flows.task_models import Sources, evaluated_rows, systems, task_models
from tests.small_evaluated import METRICS, write_evaluated


def test_teacher_students_and_rungs_are_models_and_baselines_are_not() -> None:
    further = {"crf": {"macro_f1": 0.5}, "further_choices": {"crf": {}}}
    sizes = {"size_megabytes": {**METRICS["size_megabytes"], "crf": 3.0}}
    assert systems({**METRICS, **further, **sizes}) == ["teacher", "onnx", "int8"]


def test_a_model_has_its_scores_size_latency_hash_and_maker(here: Path) -> None:
    results = {one.name: one for one in read_results(write_evaluated(here))[0]}
    sources = Sources(results, {"finetune@topic": "r1", "build@topic": "r2"}, read_lock(here))
    timings = {"int8": {"batch_1": {"p50": 0.5}}}
    teacher, _, int8 = task_models(results["evaluate@topic"], sources, timings, {"git.dirty": "false"})
    assert int8.metrics == {"macro_f1": 0.8125, "size_megabytes": 1.0, "latency_ms/batch_1/p50": 0.5}
    assert (int8.name, int8.kind, int8.source, int8.identity) == ("topic-int8", "rung", "r2", "topic/int8/bb.dir")
    assert (teacher.kind, teacher.source, teacher.tags["dvc"]) == ("teacher", "r1", "artifacts/topic/teacher@aa.dir")
    assert teacher.params == int8.params == {"finetune.learning_rate": 0.5}
    assert int8.tags["git.dirty"] == "false"


def test_the_test_rows_are_known_by_their_own_hash(here: Path) -> None:
    assert evaluated_rows(here, "topic") is None
    assert evaluated_rows(write_evaluated(here), "topic") == Input("artifacts/tasks/topic/test.jsonl", "0" * 36)
