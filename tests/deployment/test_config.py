"""components.deployment.config."""

from __future__ import annotations

from tests.small_params import refused


def test_a_rung_and_an_engine_are_those_that_are_known() -> None:
    assert "quantize.rungs.0: input should be 'int8', " in refused({"quantize.rungs": ["int7"]})
    assert "build.engines.0: input should be 'onnxruntime', " in refused({"build.engines": ["onnx"]})
    assert "build.engines: list should have at least 1 item" in refused({"build.engines": []})


def test_an_interval_needs_samples_and_a_confidence_below_one() -> None:
    assert "gate.bootstrap_samples: input should be greater" in refused({"gate.bootstrap_samples": 99})
    assert "evaluate.confidence: input should be less than 1" in refused({"evaluate.confidence": 1.0})


def test_a_baseline_is_one_that_is_known() -> None:
    known = "known: crf, hmm, lstm, skip_gram"
    assert f"evaluate.baselines: no baseline 'lda'; {known}" in refused({"evaluate.baselines": ["lda"]})
