"""Every kind of task through the whole ladder: labelled rows, teacher, student, graphs, bundle, answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.artifacts import read_manifest
from components.corpus.labelled import curate_task
from components.corpus.removals import Removals
from components.deployment.bundle import build
from components.deployment.export import export
from components.deployment.quantize import quantize
from components.evaluation.evaluate import evaluate
from components.params import Params, TaskConfig
from components.run import RecordedRun
from components.runtime.bundle import Estimate, load_bundle
from components.tasks.kinds import KINDS, task_kind
from components.training.distill import distill
from components.training.finetune import finetune
from components.training.store import CheckpointStore
from tests.serving.running import running
from tests.small_artifacts import WORDS, sentences
from tests.training.test_finetune import pretrained_folder

TEXTS = ["ship wave harbour sail whale", "street tower market crowd lamp"]
ROWS = {"train": 240, "validation": 60, "test": 60}


def classification(text: str, label: str) -> object:
    return label


def regression(text: str, label: str) -> object:
    """Stars: how many of a text's words are of the sea, from 1 to 5."""
    words = text.split()
    return 1 + round(4 * sum(word in WORDS["sea"] for word in words) / len(words), 2)


LABELS: dict[str, Callable[[str, str], object]] = {"classification": classification, "regression": regression}
"""Kind -> what a row has under `label`."""


def raw_rows(folder: Path, kind: str) -> Path:
    folder.mkdir(parents=True)
    for seed, (split, count) in enumerate(ROWS.items()):
        rows = [{"text": text, "label": LABELS[kind](text, label)} for text, label in sentences(count, seed)]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    return folder


def test_every_kind_has_rows_here() -> None:
    assert set(LABELS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_goes_from_rows_to_answers(
    kind: str,
    params: Params,
    tokenizer_folder: Path,
    tmp_path: Path,
    run: RecordedRun,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "cache"))
    task = TaskConfig(kind=kind, language="en", max_length=24)
    raw = raw_rows(tmp_path / "data" / "tasks" / "places", kind)
    rows = tmp_path / "rows"
    curate_task(task_kind(kind), raw, tmp_path / "data", rows, Removals())
    pretrained = pretrained_folder(tmp_path / "pretrained", tokenizer_folder)
    short: dict[str, Any] = {"min_steps": 1, "epochs": 6, "patience": 6, "batch_size": 8, "learning_rate": 3e-3}
    made = {name: tmp_path / name for name in ("teacher", "scratch", "student", "onnx", "quantized", "bundle")}

    config = params.finetune.model_copy(update=short)
    store = CheckpointStore(tmp_path / "checkpoints")
    tuned = finetune(
        config, task, "places", params.trainer, 7, rows, pretrained, made["teacher"], made["scratch"], store, run
    )
    metric = KINDS[kind].metric
    assert tuned["teacher"][metric] > 0.7
    smaller = params.distill.model_copy(update={**short, "max_loss": 1.0, "min_token_count": 0})
    store = CheckpointStore(tmp_path / "student-checkpoints")
    taught = distill(smaller, task, "places", params.trainer, 7, rows, made["teacher"], made["student"], store, run)
    assert taught[metric] > 0.6
    export(params.export, task, "places", rows, made["student"], made["onnx"], run)
    small = quantize(params.quantize, task, "places", rows, made["onnx"], made["quantized"], run)
    assert small[metric] > 0.6
    stages = (rows, made["student"], made["onnx"], made["quantized"], made["bundle"])
    build(params.build, params.gate, task, "places", *stages, run)

    config = params.evaluate.model_copy(update={"bootstrap_samples": 50})
    folders = (rows, made["teacher"], made["scratch"], made["student"], made["bundle"])
    monkeypatch.chdir(tmp_path)
    found = evaluate(config, task, "places", 17, *folders, Path("answers.csv"), Path("report"), run)
    assert found["candidate"][metric] > 0.6
    assert f"{metric}_low" in found["teacher"]

    assert read_manifest(made["bundle"], "bundle")["task_kind"] == kind
    loaded = load_bundle(made["bundle"])
    answers = loaded.predict(TEXTS)
    if kind == "regression":
        sea, city = (answer.number for answer in answers if isinstance(answer, Estimate))
        assert 5 > sea > city > 0
        expected = {"number": [pytest.approx(sea, abs=0.1), pytest.approx(city, abs=0.1)]}
    else:
        assert [answer.label for answer in answers if not isinstance(answer, Estimate)] == ["sea", "city"]
        expected = {"label": ["sea", "city"]}
    with running(tmp_path, made["bundle"]) as server:
        text = {"name": "text", "datatype": "BYTES", "shape": [2], "data": TEXTS}
        body = {"inputs": [text], "outputs": [{"name": name} for name in expected]}
        answer = httpx.post(f"http://127.0.0.1:{server.port}/v2/models/places/infer", json=body, timeout=60).json()
    assert {one["name"]: one["data"] for one in answer["outputs"]} == expected
