"""A project whose whole pipeline runs in a minute or two: the real code and graph, little data, little work."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from itertools import islice
from pathlib import Path

from flows.settings import change_params

SETTINGS = (
    "validate.min_class_share=0.0",
    "train_tokenizer.vocab_size=1024",
    "model.depth=2",
    "model.width=null",
    "pretrain.steps=12",
    "pretrain.batch_size=8",
    "pretrain.sequence_length=64",
    "pretrain.validate_every=6",
    "pretrain.validation_sequences=8",
    "pretrain.threads=1",
    "finetune.epochs=1",
    "finetune.min_steps=1",
    "distill.epochs=1",
    "distill.max_loss=1.0",
    "distill.min_steps=1",
    "evaluate.bootstrap_samples=100",
    "release.speed_rounds=10",
    "release.system_rounds=10",
    "release.max_loss=1.0",
    "release.min_gain=-1.0",
    "release.min_gain_over_baseline=-1.0",
)
DOCUMENTS = 400
ROWS = {"train": 240, "validation": 80, "test": 80}


def make_small_project(source: Path, folder: Path) -> Path:
    """Lay out the project in `folder` from the repository at `source`, whose sample data must be there."""
    for name in ("components", "flows", "infra"):
        shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "sample-data"))
    for name in (
        "dvc.yaml",
        "params.yaml",
        "libraries.yaml",
        "folders.yaml",
        "removals.txt",
        "pyproject.toml",
        ".dvcignore",
    ):
        shutil.copy(source / name, folder / name)
    (folder / "mlflow").mkdir()
    (folder / ".gitignore").write_text("/artifacts\n/reports\n/.lianzi\n/mlflow\n/data\n__pycache__\n")
    change_params(folder / "params.yaml", SETTINGS)
    for path in sorted((source / "data" / "corpus").iterdir()):
        _cut(path, folder / "data" / "corpus" / path.name, DOCUMENTS)
    for path in sorted((source / "data" / "tasks").glob("*/*")):
        split = path.name.partition(".")[0]
        _cut(path, folder / "data" / "tasks" / path.parent.name / path.name, ROWS[split])
    for words in (
        ["git", "init", "-q"],
        ["git", "config", "user.name", "a"],
        ["git", "config", "user.email", "a@b"],
        ["dvc", "init", "-q"],
        ["dvc", "config", "core.analytics", "false"],
        ["dvc", "add", "-q", "data"],
    ):
        subprocess.run(words, cwd=folder, check=True)
    shutil.copytree(source / ".dvc" / "plots", folder / ".dvc" / "plots")
    commit(folder, "before the first run")
    return folder


def commit(folder: Path, message: str) -> None:
    """Commit everything git sees."""
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    subprocess.run(["git", "commit", "-q", "-m", message], cwd=folder, check=True)


def _cut(source: Path, target: Path, rows: int) -> None:
    """The first rows of a gzipped JSONL file whose text is not a whole book."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        short = (line for line in lines if len(json.loads(line)["text"]) < 20_000)
        kept = "".join(islice(short, rows))
    target.write_bytes(gzip.compress(kept.encode(), mtime=0))
