"""components.deployment.temperature: probabilities that are as often right as they say, and the same answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from transformers import BertConfig, BertForSequenceClassification

from components.artifacts import read_manifest
from components.deployment.bundle import build
from components.deployment.export import export
from components.deployment.quantize import quantize
from components.deployment.rows import read_rows
from components.deployment.temperature import divide_logits, fit_temperature, picks_a_label
from components.errors import ParameterError
from components.params import Params
from components.run import RecordedRun
from components.runtime.bundle import load_bundle
from components.runtime.prediction import softmax
from components.tasks.classification import Classification
from components.tasks.multi_label import MultiLabel
from tests.small_ladder import TASK, Ladder
from tests.small_params import checked

GENERATOR = np.random.default_rng(9)
LOGITS = GENERATOR.normal(size=(500, 3)) * 2
TARGETS = (softmax(LOGITS).cumsum(axis=1) > GENERATOR.random((500, 1))).argmax(axis=1)


def loss(temperature: float, logits: np.ndarray) -> float:
    return float(-np.log(softmax(logits / temperature))[np.arange(len(TARGETS)), TARGETS].mean())


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_the_temperature_has_the_least_log_loss(scale: float) -> None:
    best = minimize_scalar(lambda one: loss(one, scale * LOGITS), bounds=(0.05, 20), method="bounded")
    assert fit_temperature(scale * LOGITS, TARGETS) == pytest.approx(best.x, rel=1e-3)


def test_rows_that_are_all_right_or_all_wrong_leave_the_temperature_at_one() -> None:
    assert fit_temperature(LOGITS, LOGITS.argmax(axis=1)) == 1.0
    assert fit_temperature(LOGITS, LOGITS.argmin(axis=1)) == 1.0


def test_kinds_that_pick_no_label_have_no_temperature() -> None:
    assert picks_a_label(Classification(("a", "b")))
    assert not picks_a_label(MultiLabel(("a", "b"), threshold=0.5))


def test_a_model_that_does_not_end_in_its_labels_is_refused() -> None:
    sizes: dict[str, Any] = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "num_labels": 3}
    model = BertForSequenceClassification(BertConfig(vocab_size=9, intermediate_size=8, **sizes))
    model.config.num_labels = 4
    with pytest.raises(ParameterError, match=r"export\.temperature: .* is not a linear one of 4 labels\nset "):
        divide_logits(model, 2.0)


def test_every_rung_carries_the_temperature_and_answers_as_before(
    ladder: Ladder, tmp_path: Path, run: RecordedRun
) -> None:
    params: Params = checked({"export.temperature": "fitted"})
    onnx, quantized, bundle = (tmp_path / name for name in ("onnx", "quantized", "bundle"))
    export(params.export, TASK, "places", ladder.rows, ladder.student, onnx, run)
    quantize(params.quantize, TASK, "places", ladder.rows, onnx, quantized, run)
    # The gate compares every layer with the checkpoint's, the last one divided.
    build(params.build, params.gate, TASK, "places", ladder.rows, ladder.student, onnx, quantized, bundle, run)
    temperature = read_manifest(bundle, "bundle")["logit_temperature"]
    assert f"logits are divided by {temperature:.3g}" in " ".join(run.lines)
    assert f"divided by {temperature:g}" in (bundle / "README.md").read_text(encoding="utf-8")
    rows = read_rows(ladder.rows, "validation", read_manifest(onnx, "onnx")["labels"])
    for rung in read_manifest(ladder.bundle, "bundle")["ladder"]:
        before, after = (load_bundle(folder, rung).logits(rows.texts) for folder in (ladder.bundle, bundle))
        assert np.allclose(after * temperature, before, atol=0.02 * np.abs(before).max())
        assert (after.argmax(axis=1) == before.argmax(axis=1)).all()
    before = load_bundle(ladder.bundle, "fp32").logits(rows.texts)
    assert fit_temperature(before / temperature, rows.targets) == pytest.approx(1.0, abs=0.01) or temperature == 1.0
