from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts import every_file, file_hash, read_manifest, write_json, write_manifest
from components.deployment.config import EvaluateConfig
from components.deployment.rows import Rows
from components.errors import ArtifactError, DataError
from components.evaluation.baselines.table import compared_with
from components.evaluation.evaluate import evaluate, score_all, strongest
from components.evaluation.rungs import systems
from components.run import Metrics, RecordedRun
from components.tasks.classification import Classification
from tests.small_ladder import LABELS, TASK, Ladder

CONFIG = EvaluateConfig(bootstrap_samples=100, confidence=0.95, baselines=[])
REPORT = Path("reports/evaluate/places")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def measured(ladder: Ladder, run: RecordedRun, config: EvaluateConfig = CONFIG) -> Metrics:
    folders = (ladder.rows, ladder.teacher, ladder.scratch, ladder.student, ladder.bundle)
    return evaluate(config, TASK, "places", 17, *folders, Path("metrics/places_confusion.csv"), REPORT, run)


def test_every_rung_is_scored_with_its_interval(ladder: Ladder, run: RecordedRun) -> None:
    metrics = measured(ladder, run)
    ladder_names = read_manifest(ladder.bundle, "bundle")["ladder"]
    for name in systems(ladder_names):
        assert metrics[name]["macro_f1_low"] <= metrics[name]["macro_f1"] <= metrics[name]["macro_f1_high"]
    assert {"int8", "int8_static", "int4_embeddings"} <= set(metrics)
    candidate = {name: value for name, value in metrics["candidate"].items() if name != "per_class"}
    assert candidate == metrics["int4_embeddings"]
    assert "shipped" not in json.dumps(metrics)  # only the release says what ships
    assert metrics["teacher"]["macro_f1"] > metrics["without_pretraining"]["macro_f1"]
    assert metrics["onnx"] == metrics["student"]
    assert metrics["agreement"]["onnx_student"] == 1
    assert sum(found["support"] for found in metrics["candidate"]["per_class"].values()) == metrics["test_rows"] == 60
    assert metrics["gain"]["pretraining"]["low"] > 0
    assert set(metrics["over_baseline"]) == {*systems(ladder_names)} - {"baseline"}
    over = metrics["over_baseline"]["candidate"]
    assert over["macro_f1"] == metrics["gain"]["over_baseline"]
    assert over["accuracy"]["low"] <= over["accuracy"]["value"] <= over["accuracy"]["high"]
    assert set(metrics["baseline_choice"]) == {"characters", "longest_n_gram", "min_df", "c", "balanced"}
    assert any(line.startswith("counting words: ") for line in run.lines)
    assert metrics["size_megabytes"]["candidate"] < metrics["size_megabytes"]["onnx"]


def test_further_baselines_stand_beside_the_one_to_beat(ladder: Ladder, run: RecordedRun) -> None:
    """Those that can do the task: a hidden Markov model labels no whole texts."""
    metrics = measured(ladder, run, CONFIG.model_copy(update={"baselines": ["hmm", "skip_gram"]}))
    assert "hmm" not in metrics
    assert metrics["skip_gram"]["macro_f1_low"] <= metrics["skip_gram"]["macro_f1"]
    assert metrics["to_beat"] == "baseline"
    assert set(metrics["over_baseline"]["skip_gram"]) == {"macro_f1", "accuracy"}
    assert metrics["size_megabytes"]["skip_gram"] > 0
    assert set(metrics["further_choices"]) == {"skip_gram"}
    over = metrics["over_further"]["skip_gram"]["macro_f1"]
    scores = [metrics[name]["macro_f1"] for name in ("candidate", "skip_gram")]
    assert over["value"] == pytest.approx(scores[0] - scores[1], abs=2e-6)
    assert any(line.startswith("word vectors: 100 dimensions") for line in run.lines)
    page = (REPORT / "index.html").read_text(encoding="utf-8")
    assert "<td>word vectors (skip-gram) + linear layer</td>" in page
    assert re.search(r"<p>Its macro-F1 (above|below|level with) word vectors", page)
    assert "; skip-gram word vectors + logistic regression: 100 dimensions" in page


@dataclass(frozen=True)
class _Always:
    answer: int

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        return np.full(len(texts), self.answer)


def test_the_baseline_to_beat_is_the_strongest_on_validation_rows() -> None:
    task = Classification(("city", "sea"))
    labels = [1, 1, 0]
    rows = Rows([str(number) for number in range(3)], np.array(labels))
    baselines: dict[str, Any] = {"baseline": _Always(0), "crf": _Always(1), "hmm": _Always(1)}
    assert strongest(task.metrics[0], baselines, rows) == "crf"
    answers = {"baseline": np.array([0, 0, 0]), "crf": np.array([1, 1, 1]), "candidate": np.array(labels)}
    answers |= dict.fromkeys(("teacher", "student", "onnx"), answers["candidate"])
    found = score_all(CONFIG, 1, task, rows, answers, ["baseline", "crf"], "crf")
    assert found["over_baseline"]["candidate"]["accuracy"]["value"] == pytest.approx(1 / 3, abs=1e-6)
    assert found["over_further"]["baseline"]["accuracy"]["value"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["gain"]["over_baseline"] == found["over_baseline"]["candidate"]["macro_f1"]
    assert compared_with({"to_beat": "crf"}, task).phrase == "a conditional random field"
    assert compared_with({}, task).phrase == compared_with({"to_beat": "baseline"}, task).phrase == "counting words"


def test_metrics_and_the_page_repeat_and_hold_nothing_of_the_machine(ladder: Ladder, run: RecordedRun) -> None:
    first, page = measured(ladder, run), (REPORT / "index.html").read_bytes()
    again = measured(ladder, run)
    assert json.dumps(first) == json.dumps(again)
    assert page == (REPORT / "index.html").read_bytes()
    assert "latency" not in json.dumps(first)
    assert [path.name for path in REPORT.iterdir()] == ["index.html"]
    assert run.steps == []


def test_answers_of_the_candidate_are_written_row_by_row(ladder: Ladder, run: RecordedRun) -> None:
    metrics = measured(ladder, run)
    with Path("metrics/places_confusion.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 60
    assert set(rows[0]) == {"actual", "predicted"}
    right = sum(row["actual"] == row["predicted"] for row in rows)
    assert right / 60 == pytest.approx(metrics["candidate"]["accuracy"], abs=1e-6)


def test_there_is_a_page_to_read_with_pictures_and_refused_rungs(
    ladder: Ladder, run: RecordedRun, tmp_path: Path
) -> None:
    bundle = Path(shutil.copytree(ladder.bundle, tmp_path / "bundle"))
    made = read_manifest(bundle, "bundle")
    made["quantization"]["int2"] = {"accepted": 0, "reason": "cannot be made: ValueError: two bits"}
    write_json(bundle / "manifest.json", made)
    measured(replace(ladder, bundle=bundle), run)
    assert run.files == [REPORT]
    assert set(run.figures) == {"macro_f1.png", "confusion.png"}
    page = (REPORT / "index.html").read_text(encoding="utf-8")
    assert "Candidate for release: <b>int4_embeddings</b>" in page
    assert "<td>int2</td><td>it cannot be made: ValueError: two bits</td>" in page


def test_several_seeds_are_scored_on_the_test_rows_with_mean_and_spread(
    ladder: Ladder, run: RecordedRun, tmp_path: Path
) -> None:
    """The teacher of another seed stands beside the chosen one: here the one without pretraining plays it."""
    teacher = Path(shutil.copytree(ladder.teacher, tmp_path / "teacher"))
    shutil.copytree(ladder.scratch, teacher / "seeds" / "18")
    manifest = read_manifest(ladder.teacher, "classifier")
    manifest["files"] |= {name: file_hash(teacher / name) for name in every_file(teacher) if name.startswith("seeds/")}
    write_json(teacher / "manifest.json", manifest | {"seed": 17})
    metrics = measured(replace(ladder, teacher=teacher), run)
    assert list(metrics["seeds"]) == ["teacher"]
    found = metrics["seeds"]["teacher"]
    assert (found["count"], found["chosen"]) == (2, 17)
    assert found["macro_f1"]["17"] == metrics["teacher"]["macro_f1"]
    assert found["macro_f1"]["18"] == metrics["without_pretraining"]["macro_f1"]
    assert "<h2>Seeds</h2>" in (REPORT / "index.html").read_text(encoding="utf-8")


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
    (bundle / "models/int8/model.onnx").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"model\.onnx: changed"):
        measured(replace(ladder, bundle=bundle), run)
    assert not Path("metrics").exists()


def test_without_a_control_what_pretraining_bought_is_not_told(
    ladder: Ladder, run: RecordedRun, tmp_path: Path
) -> None:
    (tmp_path / "scratch").mkdir()
    labels = read_manifest(ladder.teacher, "classifier")["labels"]
    write_manifest(tmp_path / "scratch", "classifier", {}, labels=labels, left_out="finetune.without_pretraining")
    metrics = measured(replace(ladder, scratch=tmp_path / "scratch"), run)
    assert "without_pretraining" not in metrics
    assert "pretraining" not in metrics["gain"]
    assert "without pretraining" not in (REPORT / "index.html").read_text(encoding="utf-8")
