"""docs/results_table.py: the README tells what the committed metrics say."""

from __future__ import annotations

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
