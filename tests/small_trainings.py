"""A project folder in which `python -m components` can pretrain, fine-tune and distill within seconds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from flows.settings import change_params
from tests.small_artifacts import small_task, small_tokenizer, small_tokens
from tests.small_kinds import ROW_OF, small_rows
from tests.small_store import copy_project

ROOT = Path(__file__).parent.parent
SETTINGS = (
    "tasks.topic.max_length=16",
    "model.depth=1",
    "model.width=null",
    "model.max_length=32",
    'train_tokenizer.special_tokens=["[E1]", "[/E1]", "[E2]", "[/E2]"]',  # so that every kind goes by one model
    "pretrain.init_from=null",
    "pretrain.objective.name=mlm",
    "pretrain.objective.mask_probability=0.3",
    "pretrain.objective.masking=dynamic",
    "pretrain.objective.whole_word=false",
    "pretrain.batch_size=4",
    "pretrain.sequence_length=16",
    "pretrain.validate_every=7",
    "pretrain.validation_sequences=16",
    "pretrain.threads=1",
    "finetune.epochs=3",
    "finetune.batch_size=8",
    "finetune.min_steps=1",
    "distill.epochs=3",
    "distill.batch_size=8",
    "distill.min_steps=1",
    "distill.depth_fraction=1.0",
    "distill.max_loss=1.0",
)
WHOLE = (
    "pretrain.document_attention=false",
    "model.depth=2",
    "distill.depth_fraction=0.5",
    "distill.width_fraction=1.0",
    "distill.ffn_fraction=1.0",
)
"""A student of an encoder-decoder has fewer layers, which are as wide."""
NOISE = "noise_density: 0.15, mean_span_length: 3.0"
SETTINGS_OF = {
    "generation": ("model.architecture=gpt2", "pretrain.objective.name=clm"),
    "summarization": (
        "tasks.form.kind=summarization",
        "model.architecture=bart",
        f"pretrain.objective={{name: text_infilling, {NOISE}}}",
        *WHOLE,
    ),
    "translation": (
        "tasks.form.kind=translation",
        "model.architecture=t5",
        f"pretrain.objective={{name: span_corruption, {NOISE}}}",
        *WHOLE,
    ),
}
"""Kind of task -> the settings of a project whose model can carry it, where that is another model."""
PATHS = {
    "pretrain": ("tokens tokenizer", "pretrained"),
    "finetune": ("rows pretrained", "teacher"),
    "train_from_scratch": ("rows pretrained", "scratch"),
    "distill": ("rows teacher", "student"),
}
"""Stage -> its inputs, its outputs."""


def small_training_project(folder: Path, settings: Sequence[str], kind: str = "classification") -> Path:
    """Tokens, tokenizer, rows of a task of this kind, params, an empty MLflow store."""
    copy_project(Path(_template().name), folder)
    own = (*SETTINGS_OF.get(kind, ()), f"tasks.topic.kind={kind}")
    change_params(folder / "params.yaml", (*SETTINGS, *settings, *own))
    if kind != "classification":
        shutil.rmtree(folder / "rows")
        small_rows(folder / "rows", kind, ROW_OF[kind])
    return folder


@cache
def _template() -> tempfile.TemporaryDirectory[str]:
    """A project with the parameters that ship, made once a process: its store alone takes seconds."""
    made = tempfile.TemporaryDirectory()
    folder = Path(made.name)
    shutil.copy(ROOT / "params.yaml", folder)
    small_tokenizer(folder / "tokenizer")
    small_tokens(folder / "tokens", folder / "tokenizer")
    small_task(folder / "rows")
    (folder / "mlflow").mkdir()
    program = "from components import tracking; tracking.connect()"
    subprocess.run([sys.executable, "-c", program], cwd=folder, env=environment(), check=True)
    return made


def words(stage: str) -> list[str]:
    """The stage's command line behind `python -m components`."""
    paths = [word for kind in PATHS[stage] for name in kind.split() for word in (f"--{name}", name)]
    task = [] if stage == "pretrain" else ["--task", "topic"]
    return [stage, *paths, *task, "--metrics", f"{stage}.json", "--curves", f"{stage}.csv"]


def remove_outputs(stage: str, folder: Path) -> None:
    """As DVC does before it runs a stage."""
    for name in PATHS[stage][1].split():
        shutil.rmtree(folder / name, ignore_errors=True)


def environment() -> dict[str, str]:
    """For a stage's process: one thread, a checkpoint after every step, the project's own MLflow store."""
    mine = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "LIANZI_CHECKPOINT_SECONDS": "0"}
    elsewhere = ("MLFLOW_TRACKING_URI", "LIANZI_CACHE", "LIANZI_ENGINE")
    return {name: value for name, value in os.environ.items() if name not in elsewhere} | mine
