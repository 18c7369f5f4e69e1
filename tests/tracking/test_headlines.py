"""components.tracking.headlines: the numbers that pipeline runs are compared by."""

from __future__ import annotations

from pathlib import Path

from components.artifacts import write_json
from components.tracking.headlines import headlines, read_metrics, shipped_headlines


def test_every_task_has_the_same_headlines(root: Path) -> None:
    found = headlines(["data.dvc", "pretrain", "evaluate@topic", "evaluate@form", "export@form"], root)
    names = {name.partition("/")[2] for name in found if name.startswith("topic/")}
    assert names == {name.partition("/")[2] for name in found if name.startswith("form/")}
    assert {"teacher/macro_f1", "student/macro_f1", "baseline/macro_f1"} <= names
    assert found["topic/teacher/macro_f1"] == read_metrics(root / "metrics/evaluate/topic.json")["teacher/macro_f1"]
    pretrain = read_metrics(root / "metrics/pretrain.json")
    assert found["pretrain/validation_loss"] == pretrain["validation_loss"]
    every = headlines(["curate", "tokenize", "pretrain", "evaluate@topic", "evaluate@form"], root)
    assert 12 <= len(every) <= 24


def test_only_the_metric_that_decides_a_task_is_told(tmp_path: Path) -> None:
    for task, scores in {
        "topics": {"micro_f1": 0.8, "macro_f1": 0.7, "accuracy": 0.6, "per_class": {"sea": {"f1": 0.9}}},
        "choices": {"accuracy": 0.5},
        "titles": {"rouge_l": 0.4, "chrf": 0.3},
    }.items():
        write_json(tmp_path / f"metrics/evaluate/{task}.json", {"candidate": scores})
    assert headlines(["evaluate@topics", "evaluate@choices", "evaluate@titles"], tmp_path) == {
        "topics/candidate/micro_f1": 0.8,
        "choices/candidate/accuracy": 0.5,
        "titles/candidate/rouge_l": 0.4,
    }


def test_a_stage_without_metrics_has_no_headlines(tmp_path: Path) -> None:
    assert headlines(["pretrain", "evaluate@topic"], tmp_path) == {}
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/pretrain.json").write_text("{half")
    assert headlines(["pretrain"], tmp_path) == {}


def test_what_a_release_shipped_is_told_as_evaluate_scored_it(root: Path) -> None:
    metrics = read_metrics(root / "metrics/evaluate/topic.json")
    found = shipped_headlines("topic", "int8", root)
    assert found["topic/shipped/macro_f1"] == metrics["int8/macro_f1"]
    assert found["topic/shipped/macro_f1_low"] == metrics["int8/macro_f1_low"]
    assert found["topic/shipped/accuracy"] == metrics["int8/accuracy"]
    assert len(found) <= 8  # a table of runs and tasks stays readable
    assert found["topic/shipped/megabytes"] == metrics["size_megabytes/int8"]
    assert shipped_headlines("topic", "not evaluated", root) == {}


def test_what_a_release_shipped_is_told_against_counting_words(tmp_path: Path) -> None:
    gain = {"value": -0.06, "low": -0.08, "high": -0.04}
    write_json(tmp_path / "metrics/evaluate/places.json", {"over_baseline": {"int8": {"macro_f1": gain}}})
    assert shipped_headlines("places", "int8", tmp_path) == {
        "places/shipped/over_baseline/macro_f1": -0.06,
        "places/shipped/over_baseline/macro_f1_low": -0.08,
        "places/shipped/over_baseline/macro_f1_high": -0.04,
    }
