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
    assert page.startswith("Made by: [finetune@topic](#/experiments/7/runs/r2)\n")


def test_what_mlflow_has_no_room_for_is_left_out_and_counted() -> None:
    runs = {f"finetune@task{number}": "r" * 32 for number in range(8)}
    ids = dict.fromkeys(("teacher", "onnx", "int8"), "m-" + 32 * "0")
    few = [Tied(f"task{number}", "r" * 32, METRICS, {}, ids, shipped="int8") for number in range(15)]
    page = describe(few, runs, "123456789012345678")
    assert len(page) <= 8000
    assert "[finetune@task7]" in page
    assert " models.\n" in page.split("Left out here, for want of room: ")[1]
    assert page.count("**, shipped") == 15
    page = describe(few * 5, {f"finetune@task{number}": "r" * 32 for number in range(90)}, "1")
    assert len(page) <= 8000
    assert " tasks.\n" in page
    assert ", and " in page.splitlines()[0]
