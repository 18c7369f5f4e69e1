"""A project of two quick stages with its committed result, to be reproduced."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.small_store import copy_store

STAGE = """
import json, sys
from pathlib import Path
rows = [json.loads(line) for line in Path("data/rows.jsonl").read_text().splitlines()]
seed = next(line for line in Path("params.yaml").read_text().splitlines() if line.startswith("seed:"))
Path("artifacts").mkdir(exist_ok=True)
Path("artifacts/sum.json").write_text(json.dumps({"sum": sum(row["value"] for row in rows), "seed": seed}))
"""
DVC_YAML = """
stages:
  sum:
    cmd: python components/sum.py
    deps: [data, components/sum.py]
    params: [seed, libraries.yaml: [numpy]]
    outs: [artifacts/sum.json]
  copy:
    cmd: cp artifacts/sum.json artifacts/copy.json
    deps: [artifacts/sum.json]
    outs: [artifacts/copy.json]
"""


def run(folder: Path, *words: str) -> str:
    """A command in a folder, which succeeds; its output."""
    return subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(folder: Path) -> None:
    """Commit everything git sees."""
    run(folder, "git", "add", "-A")
    run(folder, "git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "change")


def make_results(root: Path, mlflow_store: Path, folder: Path) -> Path:
    """Lay the project out in `folder` from the repository at `root`, run it, and commit."""
    for name in ("params.yaml", "libraries.yaml", "folders.yaml"):
        shutil.copy(root / name, folder)
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "components").mkdir()
    (folder / "components" / "sum.py").write_text(STAGE)
    (folder / "data").mkdir()
    (folder / "data" / "rows.jsonl").write_text("".join(json.dumps({"value": one}) + "\n" for one in range(3)))
    (folder / ".gitignore").write_text("/artifacts\n/data\n/mlflow\n/.lianzi\n")
    copy_store(mlflow_store, folder)
    for words in ("git init -q", "dvc init -q", "dvc config core.analytics false", "dvc add -q data", "dvc repro -q"):
        run(folder, *words.split())
    commit(folder)
    return folder


def add_a_row(folder: Path) -> None:
    """Another row, and its version in DVC."""
    with (folder / "data" / "rows.jsonl").open("a") as rows:
        rows.write('{"value": 10}\n')
    run(folder, "dvc", "add", "-q", "data")


def change_code(folder: Path) -> None:
    """Twice the sum."""
    (folder / "components" / "sum.py").write_text(STAGE.replace('row["value"]', '2 * row["value"]'))


def replaced(name: str, before: str, now: str) -> Callable[[Path], None]:
    """A change of one file."""

    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert before in text
        (folder / name).write_text(text.replace(before, now, 1))

    return change
