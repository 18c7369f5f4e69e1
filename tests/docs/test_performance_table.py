"""docs/performance_table.py: the page of figures tells what the committed measurements say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = "docs/performance_table.py"
PAGE = "docs/performance.md"


def check(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(root / SCRIPT), "--check"], capture_output=True, text=True, check=False)


def test_the_pages_table_is_the_one_the_committed_results_give(root: Path) -> None:
    done = check(root)
    assert done.returncode == 0, done.stderr


def test_a_figure_is_told_with_its_rounds_its_goal_and_whether_it_was_reached(root: Path, tmp_path: Path) -> None:
    for name in (SCRIPT, PAGE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((root / name).read_bytes())
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    figures = {
        "train: ours, Hugging Face": {"ours": 2, "peer": 7, "ratio": 3.5, "goal": 4, "unit": "s", "rounds": [3.1, 3.9]},
        "encode and pack: ours, tiktoken": {"ours": 1, "peer": 6, "ratio": 6, "goal": 5, "unit": "s"},
    }
    (results / "tokenization.json").write_text(json.dumps({"figures": figures}), encoding="utf-8")
    assert check(tmp_path).returncode == 1
    subprocess.run([sys.executable, str(tmp_path / SCRIPT)], check=True)
    assert check(tmp_path).returncode == 0
    rows = [line for line in (tmp_path / PAGE).read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert [row.split("|")[2:5] for row in rows[2:]] == [
        [" 6x ", " 5x ", " yes "],
        [" 3.5x (3.1 to 3.9) ", " 4x ", " no "],
    ]
