"""components.analysis.headlines: a task in a line."""

from __future__ import annotations

import json
from pathlib import Path

from components.analysis.headlines import headline_metrics

ROOT = Path(__file__).parent.parent.parent


def test_a_task_has_its_metric_with_interval_gain_agreement_and_size() -> None:
    found = headline_metrics(json.loads((ROOT / "metrics" / "evaluate" / "topic.json").read_text()), "macro_f1")
    assert [*found] == ["macro_f1", "low", "high", "over_baseline", "agreement", "megabytes"]
    assert found["low"] < found["macro_f1"] < found["high"]


def test_numbers_that_evaluate_did_not_write_are_left_out() -> None:
    assert headline_metrics({"candidate": {"perplexity": 12.5}}, "perplexity") == {"perplexity": 12.5}
    assert headline_metrics({}, "perplexity") == {}
