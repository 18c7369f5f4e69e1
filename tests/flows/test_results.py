"""flows.results: the results that dvc.lock records."""

from __future__ import annotations

from pathlib import Path

from flows.results import read_results
from tests.small_evaluated import write_evaluated


def test_a_result_has_its_metrics_and_curves_and_is_known_by_data_and_parameters(here: Path) -> None:
    results, whole = read_results(write_evaluated(here))
    assert whole
    evaluated = next(one for one in results if one.name == "evaluate@topic")
    assert (evaluated.stage, evaluated.task) == ("evaluate", "topic")
    assert evaluated.curves == here / "metrics/evaluate/topic_confusion.csv"
    assert next(one for one in results if one.stage == "finetune").params == {"finetune.learning_rate": 0.5}
    before = evaluated.key
    evaluated.entry["deps"].append({"path": "components/any.py", "md5": "00"})
    assert evaluated.key == before
    evaluated.entry["deps"].append({"path": "artifacts/any", "md5": "00"})
    assert evaluated.key != before
