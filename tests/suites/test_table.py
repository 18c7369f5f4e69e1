"""components.suites.table: a line a system, a column a part, the average as the suite defines it."""

from __future__ import annotations

import pytest

from components.suites import table
from components.suites.suite import suite_of

GLUE = {
    "CoLA": {"mcc": 0.5},
    "SST-2": {"accuracy": 0.9},
    "MRPC": {"f1": 0.9, "accuracy": 0.8},
    "STS-B": {"pearson": 0.8, "spearman": 0.9},
    "QQP": {"f1": 0.7, "accuracy": 0.9},
    "MNLI-m": {"accuracy": 0.8},
    "MNLI-mm": {"accuracy": 0.7},
    "QNLI": {"accuracy": 0.9},
    "RTE": {"accuracy": 0.6},
    "WNLI": {"accuracy": 0.5},
}


def test_the_average_counts_each_task_once() -> None:
    suite = suite_of("glue")
    means = [0.5, 0.9, 0.85, 0.85, 0.8, 0.75, 0.9, 0.6, 0.5]
    assert table.average(suite, GLUE) == pytest.approx(sum(means) / 9)
    assert table.average(suite, {name: one for name, one in GLUE.items() if name != "RTE"}) is None
    assert table.average(suite_of("squad"), {"SQuAD 1.1": {"exact_match": 0.5, "f1": 0.6}}) is None


def test_a_system_is_a_line_with_shares_times_100() -> None:
    rows = table.lines(suite_of("glue"), {"minilm": GLUE, "own": {"CoLA": {"mcc": -0.012}}})
    assert rows[0] == ["system", *GLUE, "average"]
    assert rows[1][rows[0].index("MRPC")] == "F1 / acc"
    assert rows[2][1:4] == ["50.0", "90.0", "90.0 / 80.0"]
    assert rows[3][1:3] == ["-1.2", "—"]
    assert "| minilm | 50.0 |" in table.markdown(rows)


def test_some_metrics_are_shown_and_do_not_count() -> None:
    task = next(one for one in suite_of("clue").tasks if one.name == "cmrc2018")
    assert table.task_average(task, {"CMRC 2018": {"exact_match": 0.6, "f1": 0.8}}) == 0.6
