"""A training over a task's rows with early stopping, and the folder of the classifier that comes of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from transformers import PreTrainedModel

from components.artifacts import of_kind, write_manifest
from components.evaluation.spread import SEEDS
from components.modeling.architectures import architecture_of
from components.modeling.checkpoints import save_checkpoint
from components.modeling.kinds import GENERATES
from components.modeling.objectives.objective import Batch, Objective
from components.run import Run
from components.staging import staged
from components.tasks.task import Task
from components.training.batches import Batches, check_division
from components.training.callbacks import EarlyStopping, MetricLogger
from components.training.config import TaskTrainingConfig, TrainerConfig
from components.training.module import LanguageModule
from components.training.order import BucketedOrder
from components.training.randomness import seeded_torch_generator
from components.training.store import CheckpointStore
from components.training.task_data import TaskData
from components.training.task_objective import WindowsObjective, task_objective
from components.training.trainer import Schedule, fit

VALIDATION_BATCH = 64


def learn_task(
    model: PreTrainedModel,
    objective: Objective,
    data: TaskData,
    config: TaskTrainingConfig,
    trainer: TrainerConfig,
    seed: int,
    schedule: Schedule,
    checkpoints: CheckpointStore,
    run: Run,
) -> tuple[MetricLogger, dict[str, float]]:
    """Train over the task's rows with early stopping; the model ends with its best epoch's weights."""
    check_division(config.batch_size, trainer.devices * trainer.accumulate)
    freeze_unread(model)
    order = BucketedOrder(data.train.lengths, config.batch_size, seed)
    module = LanguageModule(model, objective, config, trainer, config.epochs * schedule.validate_every, seed)
    best = EarlyStopping(data.metric, config.patience)
    # A language model learns each token from those before it: hidden ones would be words that no text has. What is to
    # be translated must be read.
    hidden = 0.0 if data.task.head in GENERATES else config.token_masking
    batches = task_batches(data, order, hidden, seed)
    curves = fit(module, batches, schedule, config.precision, run, checkpoints, best)
    return curves, {**best.best, "best_epoch": best.best_validation}


def freeze_unread(model: PreTrainedModel) -> None:
    """Leave the weights that a task's loss does not depend on: ranks wait for the gradient of every other (DDP)."""
    unread = architecture_of(model.config).unread
    for name, parameter in model.named_parameters():
        if name.endswith(unread):
            parameter.requires_grad_(False)


def task_schedule(data: TaskData, config: TaskTrainingConfig, label: str, prefix: str) -> Schedule:
    """A validation an epoch."""
    passes = passes_per_epoch(config, len(data.train.ids))
    steps = passes * -(-len(data.train.ids) // config.batch_size)
    return Schedule(label, steps, config.epochs * passes * sum(data.train.lengths), prefix)


def passes_per_epoch(config: TaskTrainingConfig, rows: int) -> int:
    """How often an epoch goes through the training rows: once, or as often as all epochs need for `min_steps`.

    A few hundred rows are a few steps: a rate that has hardly risen, and a validation after nothing.
    """
    return -(-config.min_steps // (config.epochs * -(-rows // config.batch_size)))


def task_batches(data: TaskData, order: BucketedOrder, token_masking: float, seed: int) -> Batches:
    """Bucketed batches, each with its step: some tokens are hidden, all of them stand under `clean_ids`."""

    def make(step: int, rows: slice) -> Batch:
        batch = data.batch(data.train, order.samples(step))
        noisy = data.hide_tokens(batch, token_masking, seeded_torch_generator(seed, "token masking", step))
        return part_of({**noisy, "clean_ids": batch["input_ids"], "step": step}, rows)

    return Batches(
        make=make,
        sizes=order.size,
        samples=order.samples,
        validation=lambda step: validation_batch(data, step),
        validation_count=validations(data),
    )


def part_of(batch: Batch, rows: slice) -> Batch:
    """Some rows of a batch, with the counts of the whole."""
    return {name: value[rows] if isinstance(value, torch.Tensor) else value for name, value in batch.items()}


def validation_batch(data: TaskData, number: int) -> Batch:
    """The validation rows in their own order, VALIDATION_BATCH at a time."""
    rows = len(data.validation.ids)
    batch = data.batch(data.validation, range(number * VALIDATION_BATCH, min((number + 1) * VALIDATION_BATCH, rows)))
    return batch | data.passages_part(number, -(-rows // VALIDATION_BATCH)) if data.passages else batch


@torch.no_grad()
def tuned_task(model: PreTrainedModel, data: TaskData) -> Task:
    """The task with what its trained model decides by the validation rows, where it leaves anything to it."""
    objective = task_objective(data)
    if not isinstance(objective, WindowsObjective):
        return data.task
    return objective.tuned(model.eval(), (validation_batch(data, number) for number in range(validations(data))))


def validations(data: TaskData) -> int:
    """Batches of all validation rows."""
    return -(-len(data.validation.ids) // VALIDATION_BATCH)


def save_classifier(
    model: PreTrainedModel,
    tokenizer: Path,
    target: Path,
    task_name: str,
    data: TaskData,
    made_from: dict[str, Path],
    others: Mapping[int, PreTrainedModel] = MappingProxyType({}),
    files: Mapping[str, Path] = MappingProxyType({}),
    **details: Any,
) -> None:
    """Write a classifier's folder: checkpoint, tokenizer, manifest; `others`: of other seeds, under `seeds/`; `files`:
    what is kept beside them, by its name there."""
    with staged(target, of_kind("classifier")) as folder:
        for seed, other in others.items():
            beside = folder / SEEDS / str(seed)
            beside.mkdir(parents=True)
            save_checkpoint(other, tokenizer, beside)
        save_checkpoint(model, tokenizer, folder)
        for name, path in files.items():
            shutil.copyfile(path, folder / name)
        write_manifest(
            folder,
            "classifier",
            made_from,
            task=task_name,
            max_length=data.max_length,
            **tuned_task(model, data).manifest(),
            **details,
        )
