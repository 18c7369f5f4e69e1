"""components.analysis.config."""

from __future__ import annotations

from tests.small_params import refused


def test_intervals_are_asked_for_as_those_of_evaluate() -> None:
    assert "analyze.bootstrap_samples: input should be greater" in refused({"analyze.bootstrap_samples": 99})
    assert "analyze: unknown" not in refused({"analyze.confidence": 1.0})
