"""flows.description: a pipeline run's result as a page."""

from __future__ import annotations

from flows.description import Tied, describe
from tests.small_evaluated import METRICS


def test_a_table_of_models_and_links_to_everything_that_made_them() -> None:
    timings = {"int8": {"batch_1": {"p50": 0.5}}}
    one = Tied("topic", "r1", METRICS, timings, {"int8": "m-1"}, shipped="int8")
    page = describe([one], {"finetune@topic": "r2"}, "7")
    assert "| baseline | 0.5000 |  | 0.5 |  |" in page
    assert "| teacher | 0.8750 | 0.8000 to 0.9000 | 4 |  |" in page
    assert "| **[int8](#/experiments/7/models/m-1)**, shipped | 0.8125 |  | 1 | 0.5 |" in page
    assert "[evaluation](#/experiments/7/runs/r1/artifacts/evaluate/index.html)" in page
    assert "Made by: [finetune@topic](#/experiments/7/runs/r2)" in page
