"""flows.summary: the table at the end of a run."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from components.stages import STAGES
from flows.summary import KEY_METRICS, StageResult, key_metric, table


def test_every_stage_has_a_key_metric_and_every_committed_metrics_file_holds_it(root: Path) -> None:
    assert set(KEY_METRICS) == set(STAGES)
    for path in {*root.glob("metrics/**/*.json")} - {*root.glob("metrics/headlines/*.json")}:
        inside = path.relative_to(root / "metrics")
        stage = inside.stem if len(inside.parts) == 1 else f"{inside.parent}@{inside.stem}"
        assert key_metric(stage, root) is not None, stage


def test_a_stage_without_metrics_has_no_key_metric(tmp_path: Path) -> None:
    assert key_metric("curate", tmp_path) is None
    assert key_metric("data.dvc", tmp_path) is None


def test_the_table_shows_state_seconds_and_metric() -> None:
    console = Console(width=100, file=io.StringIO())
    results = [
        StageResult("curate", "ran", 3.14, ("documents.train", 30543.0)),
        StageResult("pretrain", "failed", 0.0, None, "out of [memory]"),
        StageResult("finetune@topic", "not run", 0.0, None),
        StageResult("finetune@form", "not run", 0.0, None),
        StageResult("distill@topic", "not run", 0.0, None),
    ]
    console.print(table(results))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[1].split() == ["curate", "ran", "3.1", "documents.train", "30,543"]
    assert lines[2].split() == ["pretrain", "failed", "out", "of", "[memory]"]
    assert lines[3].split() == ["3", "stages", "not", "run", "finetune,", "distill"]
    assert len(lines) == 4
