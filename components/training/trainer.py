"""One loop for every training: Lightning's Trainer, quiet, deterministic, with our own progress and checkpoints."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from pytorch_lightning import Trainer
from pytorch_lightning.strategies import DDPStrategy, ModelParallelStrategy, Strategy
from torch import Tensor, nn

from components.errors import Interrupted, ParameterError
from components.run import Progress, Run, progress
from components.training import ranks, ray_launch
from components.training.batches import Batches, StepData
from components.training.callbacks import EarlyStopping, MetricLogger
from components.training.checkpointing import Checkpoints
from components.training.config import Precision, TrainerConfig
from components.training.interruption import graceful_shutdown
from components.training.module import OBJECTIVE, LanguageModule, Learner
from components.training.snapshot import load_weights, weights_of
from components.training.store import Checkpoint, CheckpointStore

M_ARENA_MAX = -8
"""glibc's malloc.h."""
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
    _bound_memory()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # Deterministic mode would also fill every fresh tensor, to make reads of uninitialised memory repeat.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _bound_memory() -> None:
    """Keep the memory of batches of many shapes from growing with each new one (decisions 15 and 31)."""
    # Kernels made for shapes that may not be met again. oneDNN and torch each keep their own list of the same kernels,
    # and one is freed once it is on neither; both are read when the first is made.
    for cache in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(cache, "64")
    if sys.platform == "linux":
        # One heap for all threads: backward passes run in their own, and what they free only they would use again.
        set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it
        if set_option is not None and "MALLOC_ARENA_MAX" not in os.environ:
            set_option(M_ARENA_MAX, 1)


def fit(
    module: LanguageModule,
    batches: Batches,
    schedule: Schedule,
    precision: Precision,
    run: Run,
    store: CheckpointStore,
    best: EarlyStopping | None = None,
) -> MetricLogger:
    """Train to the last step, or until `best` says stop, going on from the newest checkpoint in `store`.

    Leaves the model on the CPU in evaluation mode, with the best weights where there are such. Raises LianziError when
    the loss is no longer finite, Interrupted when asked to stop (after a checkpoint).
    """
    learner = module.learner
    with _quiet(), graceful_shutdown() as stop, _progress(schedule) as shown:
        curves = MetricLogger(run, shown, module.steps, schedule.label, schedule.prefix, batches.samples)
        checkpoints = Checkpoints(store, stop, curves, best)
        found = checkpoints.find()
        if found is not None:
            checkpoints.restore(module)
            run.say(f"{schedule.label}: going on from step {found.step} of {module.steps}")
        else:
            run.say(f"{schedule.label}: {module.steps:,} steps, the first of them are slow")
        unvalidated = found is not None and not found.progress["validated"]
        finished = module.step == module.steps or (best is not None and best.validations > 0 and best.done)
        if unvalidated or not finished:
            accumulate = module.trainer_config.accumulate
            data = StepData(batches, lambda: _segment(module, schedule.validate_every), accumulate)
            callbacks = [curves, *([] if best is None else [best]), checkpoints]
            trainer = _trainer(module, callbacks, precision, unvalidated, schedule.validate_every)
            trainer.fit(module, datamodule=data)
            if stop.requested and module.trainer_config.devices == 1:
                # Heard too late to stop this training: nothing more is to begin after it.
                raise Interrupted(f"checkpoint at step {module.step}; run again to go on from there")
    _leave_whole(module, learner, best, found)
    return curves


def _progress(schedule: Schedule) -> AbstractContextManager[Progress]:
    return progress(schedule.label, schedule.tokens, "tokens", silent=not ranks.is_rank_zero())


def _segment(module: LanguageModule, validate_every: int) -> tuple[int, int]:
    """The steps from where the training stands to its next validation."""
    return module.step, min(module.steps, (module.step // validate_every + 1) * validate_every)


def _trainer(
    module: LanguageModule, callbacks: list[Any], precision: Precision, unvalidated: bool, validate_every: int
) -> Trainer:
    """Lightning's Trainer. An epoch of its is the way from one validation to the next."""
    config = module.trainer_config
    validations = -(-module.steps // validate_every)
    devices, strategy, plugins = _processes(config)
    trainer = Trainer(
        max_epochs=validations - module.step // validate_every if module.step < module.steps else 0,
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=devices,
        strategy=strategy,
        plugins=plugins,
        precision=lightning_precision(precision),
        accumulate_grad_batches=config.accumulate,
        reload_dataloaders_every_n_epochs=1,
        # A checkpoint made before its step was validated: that validation comes first.
        num_sanity_val_steps=-1 if unvalidated else 0,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    # `graceful_shutdown` handles SIGTERM: Lightning's own handler would exit before there is a checkpoint, and it
    # talks to the other ranks from within the signal handler.
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
    return trainer


def _processes(config: TrainerConfig) -> tuple[int, str | Strategy, list[Any] | None]:
    """Devices of this process' machine, strategy and plugins, as Lightning's Trainer takes them."""
    if ray_launch.inside():
        strategy, environment = ray_launch.worker_strategy(config)
        return 1, strategy, [environment]
    return config.devices, lightning_strategy(config), None


def _leave_whole(
    module: LanguageModule, learner: Learner, best: EarlyStopping | None, found: Checkpoint | None
) -> None:
    """Leave the model and the objective that came in whole, on the CPU, with the weights that are to be kept."""
    averaged: dict[str, Tensor] = {}
    if best is not None and best.weights:
        weights = best.weights
    else:
        if module.average is not None:
            module.average.swap()
        weights = weights_of(module.model)
        if module.average is None and found is not None:
            # It had ended before: its average was not set up again.
            averaged = found.tensors.get("average", {})
            weights |= averaged
    if isinstance(module.objective, nn.Module) and isinstance(learner.objective, nn.Module):
        beside = weights_of(module.objective)
        beside |= {name.removeprefix(OBJECTIVE): one for name, one in averaged.items() if name.startswith(OBJECTIVE)}
        load_weights(learner.objective.cpu(), beside)
    learner.model.cpu()
    learner.eval()
    load_weights(learner.model, weights)
    module.learner = learner


def lightning_strategy(config: TrainerConfig) -> str | Strategy:
    """How several processes share a training. Raises ParameterError where there are fewer devices than asked for."""
    if config.devices == 1:
        return "auto"
    if torch.cuda.is_available() and torch.cuda.device_count() < config.devices:
        raise ParameterError(
            f"trainer.devices {config.devices}: this machine has {torch.cuda.device_count()}", "lower trainer.devices"
        )
    if config.strategy == "fsdp":
        return ModelParallelStrategy(data_parallel_size=config.devices, tensor_parallel_size=1)
    return DDPStrategy(gradient_as_bucket_view=True)


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
