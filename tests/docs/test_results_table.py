"""docs/results_table.py: the README tells what the committed metrics say."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path


def check(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "docs" / "results_table.py"), "--check"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_readmes_table_is_the_one_the_committed_metrics_give(root: Path) -> None:
    done = check(root)
    assert done.returncode == 0, done.stderr


def test_a_changed_metric_makes_it_stale(root: Path, tmp_path: Path) -> None:
    for name in ("README.md", "README.zh.md", "docs/results_table.py", "benchmarks/results/latency.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((root / name).read_bytes())
    metrics = tmp_path / "metrics" / "evaluate"
    metrics.mkdir(parents=True)
    for path in (root / "metrics" / "evaluate").glob("*.json"):
        (metrics / path.name).write_text(path.read_text().replace('"accuracy": 0.', '"accuracy": 0.1'))
    assert check(tmp_path).returncode == 1


def test_what_pretraining_is_worth_stands_first_a_row_a_share_of_the_labels(root: Path, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("results_table", root / "docs" / "results_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.labels_table(tmp_path) == ""
    scores = {name: {"macro_f1": {"mean": 0.66, "sd": 0.01}} for name in module.COMPARED}
    row = {
        "task": "topic",
        "seeds": [17, 18, 19],
        "labelled_rows": 317,
        "systems": scores,
        "shipped_over": {"counting_words": {"macro_f1": {"value": 0.02, "low": -0.01, "high": 0.05}}},
    }
    path = tmp_path / "benchmarks" / "results" / "labels.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"labels": {"topic, 5% of the labels": row}}), encoding="utf-8")
    lines = module.labels_table(tmp_path).splitlines()
    assert "mean ± sd of 3 seeds" in lines[0]
    assert lines[2] == (
        "| **topic**, 5% of the labels | 317 | 0.660 ± 0.010 | 0.660 ± 0.010 | 0.660 ± 0.010 | "
        "+0.020 (-0.010 to +0.050) |"
    )
