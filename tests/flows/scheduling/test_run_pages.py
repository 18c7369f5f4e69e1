"""flows.scheduling.run_pages: the tables that a run leaves in Prefect."""

from __future__ import annotations

from pathlib import Path

from flows.scheduling.run_pages import ladders, slug, stage_rows
from flows.summary import StageResult


def test_a_row_a_stage() -> None:
    results = [
        StageResult("curate", "ran", 1.26, ("rows", 5.0)),
        StageResult("bad", "failed", 0.0, None, "error: x “y”"),
    ]
    assert [
        (row["stage"], row["state"], row["seconds"], row["value"], row["reason"]) for row in stage_rows(results)
    ] == [
        ("curate", "ran", 1.3, 5.0, ""),
        ("bad", "failed", 0.0, "", "error: x …"),
    ]


def test_a_ladder_a_task_with_intervals_and_sizes(root: Path) -> None:
    rows = {row["rung"]: row for row in ladders(root)["topic"]}
    assert {"baseline", "teacher", "student", "int8"} <= rows.keys()
    assert " to " in rows["student"]["95 % interval"]
    assert rows["student"]["megabytes"] < rows["teacher"]["megabytes"]


def test_a_name_becomes_one_that_prefect_takes() -> None:
    assert slug("My project/任务 2") == "my-project-2"
    assert slug("任务") == "project"
