"""Stage finetune: the pretrained model learns a task; so does its random twin, to show what pretraining bought."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from components.artifacts import of_kind, read_manifest, write_manifest
from components.modeling.checkpoints import load_classifier, load_tokenizer, random_classifier, save_checkpoint
from components.modeling.objectives import Batch, Objective
from components.params import DistillConfig, FinetuneConfig, TaskConfig, TrainerConfig
from components.run import Metrics, Run
from components.staging import staged
from components.tasks.classification import Classification, ClassificationObjective
from components.tasks.kinds import TASK_KINDS
from components.training import ranks
from components.training.batches import Batches, check_division
from components.training.callbacks import BestWeights, Curves
from components.training.figures import curves_figure
from components.training.module import LanguageModule
from components.training.order import BucketedOrder
from components.training.randomness import derived_seed, derived_torch
from components.training.store import CheckpointStore
from components.training.trainer import Schedule, fit, prepare_libraries

VALIDATION_BATCH = 64


def finetune(
    config: FinetuneConfig,
    task: TaskConfig,
    task_name: str,
    trainer: TrainerConfig,
    seed: int,
    rows: Path,
    pretrained: Path,
    teacher: Path,
    scratch: Path,
    checkpoints: CheckpointStore,
    run: Run,
) -> Metrics:
    """Train the teacher, and by the same recipe the control without pretraining where the config asks for it.

    Returns the best epoch's validation metrics of each.
    """
    read_manifest(pretrained, "pretrained")
    prepare_libraries(config.threads)
    run.say(f"finetune {task_name}: encoding the rows")
    data = TASK_KINDS[task.kind].read(rows, task, load_tokenizer(pretrained))
    run.say(
        f"finetune {task_name}: {len(data.train.ids):,} rows to learn from, {len(data.validation.ids):,} to choose by, "
        f"{len(data.labels)} labels"
    )
    objective = ClassificationObjective(len(data.labels), config.label_smoothing)
    histories, metrics = {}, {}
    for name, build, target, made_from in (
        ("teacher", partial(_pretrained_classifier, run), teacher, {"rows": rows, "pretrained": pretrained}),
        ("scratch", random_classifier, scratch, {"rows": rows}),
    ):
        if name == "scratch" and not config.without_pretraining:
            _leave_out(target, task_name, data)
            continue
        torch.manual_seed(derived_seed(seed, "classifier"))
        model = build(pretrained, data.labels, config.dropout)
        data.check_length(model, task_name)
        schedule = task_schedule(data, config, f"finetune {task_name} {name}", "" if name == "teacher" else f"{name}/")
        curves, metrics[name] = learn_task(
            model, objective, data, config, trainer, seed, schedule, checkpoints.part(name), run
        )
        histories[name] = curves.history
        if ranks.leads():
            save_classifier(model, pretrained, target, task_name, data, made_from)
    run.log_figure("loss.png", curves_figure(histories, ["loss", data.monitor]))
    return metrics


def _leave_out(target: Path, task_name: str, data: Classification) -> None:
    """Write a classifier's folder without a classifier: DVC wants each output of a stage, and this one says why."""
    if ranks.leads():
        with staged(target, of_kind("classifier")) as folder:
            details = {"task": task_name, "labels": list(data.labels), "max_length": data.max_length}
            write_manifest(folder, "classifier", {}, left_out="finetune.without_pretraining", **details)


def _pretrained_classifier(run: Run, pretrained: Path, labels: Sequence[str], dropout: float) -> PreTrainedModel:
    loaded = load_classifier(pretrained, labels, dropout)
    for line in loaded.remarks(pretrained):
        run.say(line)
    return loaded.model


def learn_task(
    model: PreTrainedModel,
    objective: Objective,
    data: Classification,
    config: FinetuneConfig | DistillConfig,
    trainer: TrainerConfig,
    seed: int,
    schedule: Schedule,
    checkpoints: CheckpointStore,
    run: Run,
) -> tuple[Curves, dict[str, float]]:
    """Train over the task's rows with early stopping; the model ends with its best epoch's weights."""
    check_division(config.batch_size, trainer.devices * trainer.accumulate)
    order = BucketedOrder(data.train.lengths, config.batch_size, seed)
    module = LanguageModule(model, objective, config, trainer, config.epochs * order.steps_per_epoch, seed)
    best = BestWeights(data.monitor, config.patience)
    batches = task_batches(data, order, config.token_masking, seed)
    curves = fit(module, batches, schedule, config.precision, run, checkpoints, best)
    return curves, {**best.best, "best_epoch": best.best_validation}


def task_schedule(data: Classification, config: FinetuneConfig | DistillConfig, label: str, prefix: str) -> Schedule:
    """A validation an epoch."""
    steps = -(-len(data.train.ids) // config.batch_size)
    return Schedule(label, steps, config.epochs * sum(data.train.lengths), prefix)


def task_batches(data: Classification, order: BucketedOrder, token_masking: float, seed: int) -> Batches:
    """Bucketed batches, each with its step: some tokens are hidden, all of them stand under `clean_ids`."""

    def make(step: int, rows: slice) -> Batch:
        batch = data.batch(data.train, order.samples(step))
        noisy = data.hide_tokens(batch, token_masking, derived_torch(seed, "token masking", step))
        return part_of({**noisy, "clean_ids": batch["input_ids"], "step": step}, rows)

    return Batches(
        make=make,
        sizes=order.size,
        samples=order.samples,
        validation=lambda step: validation_batch(data, step),
        validation_count=-(-len(data.validation.ids) // VALIDATION_BATCH),
    )


def part_of(batch: Batch, rows: slice) -> Batch:
    """Some rows of a batch, with the counts of the whole."""
    return {name: value[rows] if isinstance(value, torch.Tensor) else value for name, value in batch.items()}


def validation_batch(data: Classification, number: int) -> Batch:
    """The validation rows in their own order, VALIDATION_BATCH at a time."""
    rows = len(data.validation.ids)
    return data.batch(data.validation, range(number * VALIDATION_BATCH, min((number + 1) * VALIDATION_BATCH, rows)))


def save_classifier(
    model: PreTrainedModel,
    tokenizer: Path,
    target: Path,
    task_name: str,
    data: Classification,
    made_from: dict[str, Path],
    **details: Any,
) -> None:
    """Write a classifier's folder: checkpoint, tokenizer, manifest."""
    with staged(target, of_kind("classifier")) as folder:
        save_checkpoint(model, tokenizer, folder)
        write_manifest(
            folder,
            "classifier",
            made_from,
            task=task_name,
            labels=list(data.labels),
            max_length=data.max_length,
            **details,
        )
