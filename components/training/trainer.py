"""One loop for every training: Lightning's Trainer, quiet, deterministic, with our own progress."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from pytorch_lightning import Trainer
from torch.utils.data import DataLoader

from components.modeling.objectives import Batch
from components.params import OptimizerConfig, Precision
from components.run import Run, progress
from components.training.callbacks import BestWeights, Curves
from components.training.module import LanguageModule

QUIET = ("pytorch_lightning", "lightning.pytorch", "lightning.fabric", "lightning_fabric")


@dataclass(frozen=True)
class Schedule:
    """How a training is watched. `tokens`: about how many it will see; `prefix`: before the names of its curves."""

    label: str
    validate_every: int
    tokens: int
    prefix: str = ""


def prepare_libraries(threads: int) -> None:
    """Same bits on the same hardware: fixed threads, deterministic kernels only; and no progress bars but ours."""
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # Deterministic mode would also fill every fresh tensor, to make reads of uninitialised memory repeat.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def fit(
    module: LanguageModule,
    training: DataLoader[Batch],
    validation: DataLoader[Batch],
    schedule: Schedule,
    precision: Precision,
    run: Run,
    best: BestWeights | None = None,
) -> Curves:
    """Train to the end of `training`, or until `best` says stop; leaves the model on the CPU in evaluation mode.

    Raises LianziError when the loss is no longer finite.
    """
    optimizer: OptimizerConfig = module.optimizer_config
    steps = len(training.dataset)  # type: ignore[arg-type]
    with _quiet(), progress(schedule.label, schedule.tokens, "tokens") as shown:
        curves = Curves(run, shown, steps, schedule.prefix)
        trainer = Trainer(
            max_epochs=1,
            accelerator="gpu" if torch.cuda.is_available() else "cpu",
            devices=1,
            precision=lightning_precision(precision),
            gradient_clip_val=optimizer.gradient_clip,
            val_check_interval=min(schedule.validate_every, steps),
            callbacks=[curves] if best is None else [curves, best],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
        trainer.fit(module, training, validation)
        if steps % min(schedule.validate_every, steps) and not trainer.should_stop:
            trainer.validate(module, validation, verbose=False)
    if best is not None:
        best.restore(module)
    module.model.cpu().eval()
    return curves


def lightning_precision(precision: Precision) -> Any:
    """Lightning's name for a precision; `auto` is bf16 only where the hardware multiplies in it."""
    if precision == "auto":
        precision = "bf16" if _multiplies_in_bf16() else "fp32"
    return {"bf16": "bf16-mixed", "fp32": "32-true"}[precision]


def _multiplies_in_bf16() -> bool:
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    features = torch.cpu.get_capabilities()
    return bool(features.get("avx512_bf16") or features.get("amx_bf16"))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's banners, tips and advice."""
    levels = {name: logging.getLogger(name).level for name in QUIET}
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
