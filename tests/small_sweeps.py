"""A project of two quick stages, whose second one writes a metric of two parameters, and the file of a sweep."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.small_results import commit, run
from tests.small_store import copy_store

PREPARE = """
import os
from pathlib import Path
with Path(os.environ["PREPARED"]).open("a") as times:
    times.write("once\\n")
Path("artifacts").mkdir(exist_ok=True)
Path("artifacts/rows").write_text(Path("data/rows").read_text())
"""
TRAIN = """
import json, math, os, time
from pathlib import Path
from ruamel.yaml import YAML
found = YAML(typ="safe").load(Path("params.yaml").read_text())["finetune"]
time.sleep(float(os.environ.get("TRAIN_SECONDS", "0")))
value = 1 - abs(math.log10(found["learning_rate"]) + 3) - abs(found["epochs"] - 4) / 10
Path("artifacts/model").write_text(f"{Path('artifacts/rows').read_text()} {value}")
Path("metrics").mkdir(exist_ok=True)
Path("metrics/train.json").write_text(json.dumps({"quality": value}))
"""
DVC_YAML = """
stages:
  prepare:
    cmd: python components/prepare.py
    deps: [data, components/prepare.py]
    outs: [artifacts/rows]
  train:
    cmd: python components/train.py
    deps: [artifacts/rows, components/train.py]
    params: [finetune]
    outs: [artifacts/model]
    metrics: [{metrics/train.json: {cache: false}}]
  ship:
    cmd: cp artifacts/model artifacts/shipped
    deps: [artifacts/model]
    params: [release]
    outs: [artifacts/shipped]
"""
SWEEP = """\
objective: {file: metrics/train.json, metric: quality, direction: maximize}
parameters:
  finetune.learning_rate: {type: float, low: 0.0001, high: 0.01, log: true}
  finetune.epochs: {type: int, low: 2, high: 6}
trials: 12
seed: 17
parallel: 2
"""


def make_sweep_project(root: Path, mlflow_store: Path, folder: Path) -> Path:
    """Lay the project out in `folder` from the repository at `root`; nothing has run."""
    for name in ("params.yaml", "libraries.yaml", "folders.yaml"):
        shutil.copy(root / name, folder)
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "components").mkdir()
    (folder / "components" / "prepare.py").write_text(PREPARE)
    (folder / "components" / "train.py").write_text(TRAIN)
    (folder / "data").mkdir()
    (folder / "data" / "rows").write_text("rows")
    (folder / "search.yaml").write_text(SWEEP)
    (folder / ".gitignore").write_text("/artifacts\n/data\n/mlflow\n/.lianzi\n/reports\n/prepared\n/.cache\n")
    copy_store(mlflow_store, folder)
    for words in ("git init -q", "dvc init -q", "dvc config core.analytics false", "dvc add -q data"):
        run(folder, *words.split())
    commit(folder)
    return folder
