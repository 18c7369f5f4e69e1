from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from components.artifacts import read_manifest, write_json
from components.errors import ArtifactError, DataError
from components.evaluation.evaluate import evaluate
from components.evaluation.rungs import systems
from components.params import EvaluateConfig
from components.run import Metrics, RecordedRun
from tests.small_ladder import LABELS, TASK, Ladder

CONFIG = EvaluateConfig(bootstrap_samples=100, confidence=0.95, latency_batches=[1, 8], latency_repeats=10)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def measured(ladder: Ladder, run: RecordedRun) -> Metrics:
    folders = (ladder.rows, ladder.teacher, ladder.scratch, ladder.student, ladder.bundle)
    return evaluate(CONFIG, TASK, "places", 17, *folders, Path("metrics/places_confusion.csv"), run)


def test_every_rung_is_scored_with_its_interval(ladder: Ladder, run: RecordedRun) -> None:
    metrics = measured(ladder, run)
    ladder_names = read_manifest(ladder.bundle, "bundle")["ladder"]
    for name in systems(ladder_names):
        assert metrics[name]["macro_f1_low"] <= metrics[name]["macro_f1"] <= metrics[name]["macro_f1_high"]
    assert {"int8", "int8_static", "int4_embeddings"} <= set(metrics)
    shipped = {name: value for name, value in metrics["shipped"].items() if name != "per_class"}
    assert shipped == metrics["int4_embeddings"]
    assert metrics["teacher"]["macro_f1"] > metrics["without_pretraining"]["macro_f1"]
    assert metrics["onnx"] == metrics["student"]
    assert metrics["agreement"]["onnx_student"] == 1
    assert sum(found["support"] for found in metrics["shipped"]["per_class"].values()) == metrics["test_rows"] == 60
    assert metrics["gain"]["pretraining"]["low"] > 0
    assert metrics["size_megabytes"]["shipped"] < metrics["size_megabytes"]["onnx"]


def test_metrics_repeat_and_hold_nothing_of_the_machine(ladder: Ladder, run: RecordedRun) -> None:
    first, again = measured(ladder, run), measured(ladder, run)
    assert json.dumps(first) == json.dumps(again)
    assert "latency" not in json.dumps(first)
    step, latency = run.steps[0]
    assert step == 0
    assert latency["system/latency/shipped/batch_1/p50"] > 0
    assert all(name.startswith("system/") for name in latency)


def test_answers_of_the_shipped_model_are_written_row_by_row(ladder: Ladder, run: RecordedRun) -> None:
    metrics = measured(ladder, run)
    with Path("metrics/places_confusion.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 60
    assert set(rows[0]) == {"actual", "predicted"}
    right = sum(row["actual"] == row["predicted"] for row in rows)
    assert right / 60 == pytest.approx(metrics["shipped"]["accuracy"], abs=1e-6)


def test_there_is_a_page_to_read_with_pictures_and_latency(ladder: Ladder, run: RecordedRun) -> None:
    measured(ladder, run)
    folder = Path("reports/evaluate/places")
    assert run.files == [folder]
    assert set(run.figures) == {"macro_f1.png", "confusion.png", "latency.png"}
    assert "macro-F1" in (folder / "index.html").read_text(encoding="utf-8")
    latency = json.loads((folder / "latency.json").read_text())
    assert set(latency["teacher"]) == {"batch_1", "batch_8"}


def test_a_row_whose_label_the_model_does_not_know_is_refused(ladder: Ladder, run: RecordedRun, tmp_path: Path) -> None:
    rows = Path(shutil.copytree(ladder.rows, tmp_path / "rows"))
    with (rows / "test.jsonl").open("a") as stream:
        stream.write('{"id": "x", "text": "dune", "label": "desert"}\n')
    with pytest.raises(DataError, match=r"test\.jsonl:61: label 'desert' is not among the labels"):
        measured(replace(ladder, rows=rows), run)


def test_models_of_other_labels_are_refused(ladder: Ladder, run: RecordedRun, tmp_path: Path) -> None:
    teacher = Path(shutil.copytree(ladder.teacher, tmp_path / "teacher"))
    write_json(teacher / "manifest.json", {**read_manifest(teacher, "classifier"), "labels": ["a", "b", "c"]})
    with pytest.raises(ArtifactError, match=f"answers with a, b, c; the bundle with {', '.join(LABELS)}"):
        measured(replace(ladder, teacher=teacher), run)


def test_a_damaged_bundle_is_refused_by_name(ladder: Ladder, run: RecordedRun, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(ladder.bundle, tmp_path / "bundle"))
    (bundle / "models/int8.onnx").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"int8\.onnx: changed"):
        measured(replace(ladder, bundle=bundle), run)
    assert not Path("metrics").exists()
