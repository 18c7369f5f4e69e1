"""A language model as a task of the graph: from rows to a bundle that is released."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.artifacts import read_manifest
from components.deployment.bundle import build
from components.deployment.export import export
from components.deployment.quantize import quantize
from components.deployment.speed import Target, measure_speed
from components.evaluation.evaluate import evaluate
from components.params import Params
from components.run import RecordedRun
from components.runtime.generation.generator import Sampling, load_generator
from components.tasks.config import TaskConfig
from components.training.distill import distill
from components.training.finetune import finetune
from components.training.from_scratch import train_from_scratch
from components.training.store import CheckpointStore
from tests.small_kinds import small_rows
from tests.small_tuning import pretrained_folder

TASK = TaskConfig(kind="generation", language="en", max_length=24)


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_a_language_model_goes_from_rows_to_a_bundle(
    architecture: str, params: Params, tokenizer_folder: Path, tmp_path: Path, run: RecordedRun
) -> None:
    rows = small_rows(tmp_path / "rows", "generation", lambda text, place: {"text": text})
    pretrained = pretrained_folder(tmp_path / "pretrained", tokenizer_folder, architecture)
    short: dict[str, Any] = {"min_steps": 1, "epochs": 6, "patience": 6, "batch_size": 8, "learning_rate": 3e-3}
    made = {name: tmp_path / name for name in ("teacher", "scratch", "student", "onnx", "quantized", "bundle")}
    given = params.finetune.model_copy(update=short), TASK, "places", params.trainer, 7, rows, pretrained
    tuned = finetune(*given, made["teacher"], CheckpointStore(tmp_path / "checkpoints"), run)
    train_from_scratch(*given, made["scratch"], CheckpointStore(tmp_path / "control-checkpoints"), run)
    assert tuned["teacher"]["perplexity"] < 60
    smaller = params.distill.model_copy(update={**short, "max_loss": 1.0, "min_token_count": 2})
    store = CheckpointStore(tmp_path / "student-checkpoints")
    distill(smaller, TASK, "places", params.trainer, 7, rows, made["teacher"], made["student"], store, run)
    export(params.export, TASK, "places", rows, made["student"], made["onnx"], run)
    quantize(params.quantize, TASK, "places", rows, made["onnx"], made["quantized"], run)
    build(
        params.build,
        params.gate,
        TASK,
        "places",
        rows,
        made["student"],
        made["onnx"],
        made["quantized"],
        made["bundle"],
        run,
    )
    config = params.evaluate.model_copy(update={"bootstrap_samples": 100})
    folders = (rows, made["teacher"], made["scratch"], made["student"], made["bundle"])
    found = evaluate(config, TASK, "places", 17, *folders, tmp_path / "answers.csv", tmp_path / "report", run)
    for line in run.lines:
        print(line)
    assert found["candidate"]["perplexity"] < found["baseline"]["perplexity"]
    manifest = read_manifest(made["bundle"], "bundle")
    assert (manifest["task_kind"], manifest["form"]) == ("generation", "generation")
    by = Sampling(max_tokens=4, temperature=0.0, top_p=1.0, seed=None, stop=())
    assert load_generator(made["bundle"]).complete(["ship wave"], by)[0]
    timed = measure_speed(made["bundle"], ["ship wave harbour", "street tower"], [1], Target(1, 1.0, 10, 0.9))
    assert list(timed["speed"]) == manifest["ladder"]
