"""cli.plan: a plan as a table."""

from __future__ import annotations

import pytest
from rich.console import Console
from rich.table import Table

from cli.outcomes import Outcome
from cli.plan import outcomes_table, plan_table, remarks, totals
from cli.planner import Prediction

PREDICTIONS = [
    Prediction("curate", fresh=True),
    Prediction("pretrain", False, 1_450_000, 2_400_000, 1.1e13, 90.0, 8e8, None, 6e7, ("tokens",), "measured"),
    Prediction("finetune@topic", False, 1_440_000, 1_000_000, 4e12, 30.0, 9e8, None, 9e7, (), "measured, at most"),
    Prediction("export@topic", note="not known yet"),
]


def lines(table: Table) -> list[str]:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(table)
    return captured.get().splitlines()


def test_a_row_a_stage_and_the_total() -> None:
    told = lines(plan_table(PREDICTIONS, totals(PREDICTIONS, None, None), wide=True))
    assert "fresh" in told[1]
    assert told[2].split()[:6] == ["pretrain", "1.45", "M", "2.4", "M", "11"]
    assert "not known yet" in told[4]
    assert "?" in told[4]
    assert told[5].split() == ["total", "3.4", "M", "15", "T", "120", "900", "MB", "150", "MB"]


def test_a_plan_fits_eighty_columns() -> None:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(plan_table(PREDICTIONS, totals(PREDICTIONS, None, None), wide=False))
    told = captured.get().splitlines()
    assert len(told) == len(PREDICTIONS) + 2
    assert told[0].split() == ["stage", "tokens", "seconds", "memory", "disk"]
    assert told[3].split()[-3:] == ["measured,", "at", "most"]


def test_cost_and_energy_are_told_only_when_asked_for() -> None:
    assert not {"cost", "kilowatt_hours"} & set(totals(PREDICTIONS, None, None))
    total = totals(PREDICTIONS, 30.0, 60.0)
    assert total["cost"] == pytest.approx(1.0)
    assert total["kilowatt_hours"] == pytest.approx(0.002)
    assert "Cost: 1.00" in remarks(PREDICTIONS, total)


def test_what_is_not_sure_is_said() -> None:
    told = "\n".join(remarks(PREDICTIONS, totals(PREDICTIONS, None, None)))
    assert "1 stages that have not run here yet" in told
    assert "early stopping" in told
    assert "made up in the configured shapes to measure with: tokens" in told


def test_outcomes_show_both_and_their_ratio() -> None:
    took = {"seconds": 40.0, "peak_memory_megabytes": 800.0}
    shown = lines(outcomes_table([Outcome("pretrain", took, {"seconds": 50.0, "peak_memory_megabytes": 720.0}, {})]))
    assert shown[1].split() == ["pretrain", "50", "40", "1.25", "720", "800", "0.90"]
