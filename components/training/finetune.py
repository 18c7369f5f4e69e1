"""Stage finetune: the pretrained model learns a task; so does its random twin, to show what pretraining bought."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import PreTrainedModel

from components.artifacts import read_manifest, staged, write_manifest
from components.modeling.checkpoints import load_classifier, load_tokenizer, random_classifier, save_checkpoint
from components.modeling.objectives import Batch, Objective
from components.params import DistillConfig, FinetuneConfig, TaskConfig
from components.run import Metrics, Run
from components.tasks.classification import Classification, ClassificationObjective
from components.tasks.kinds import TASK_KINDS
from components.training.batches import loader
from components.training.callbacks import BestWeights, Curves
from components.training.figures import curves_figure
from components.training.module import LanguageModule
from components.training.order import BucketedOrder
from components.training.randomness import derived_seed, derived_torch
from components.training.trainer import Schedule, fit, prepare_libraries

VALIDATION_BATCH = 64


def finetune(
    config: FinetuneConfig,
    task: TaskConfig,
    task_name: str,
    seed: int,
    rows: Path,
    pretrained: Path,
    teacher: Path,
    scratch: Path,
    run: Run,
) -> Metrics:
    """Train both classifiers by one recipe. Returns the best epoch's validation metrics of each."""
    read_manifest(pretrained, "pretrained")
    prepare_libraries(config.threads)
    data = TASK_KINDS[task.kind].read(rows, task, load_tokenizer(pretrained))
    objective = ClassificationObjective(len(data.labels), config.label_smoothing)
    histories, metrics = {}, {}
    for name, build, target, made_from in (
        ("teacher", load_classifier, teacher, {"rows": rows, "pretrained": pretrained}),
        ("scratch", random_classifier, scratch, {"rows": rows}),
    ):
        torch.manual_seed(derived_seed(seed, "classifier"))
        model = build(pretrained, data.labels, config.dropout)
        data.check_length(model, task_name)
        prefix = "" if name == "teacher" else f"{name}/"
        curves, metrics[name] = learn_task(
            model, objective, data, config, config.token_masking, seed, f"finetune {task_name} {name}", prefix, run
        )
        histories[name] = curves.history
        save_classifier(model, pretrained, target, task_name, data, made_from)
    run.log_figure("loss.png", curves_figure(histories, ["loss", data.monitor]))
    return metrics


def learn_task(
    model: PreTrainedModel,
    objective: Objective,
    data: Classification,
    config: FinetuneConfig | DistillConfig,
    token_masking: float,
    seed: int,
    label: str,
    prefix: str,
    run: Run,
) -> tuple[Curves, dict[str, float]]:
    """Train over the task's rows with early stopping; the model ends with its best epoch's weights."""
    order = BucketedOrder(data.train.lengths, config.batch_size, seed)
    steps = config.epochs * order.steps_per_epoch
    module = LanguageModule(model, objective, config, steps, seed)
    best = BestWeights(data.monitor, config.patience)
    curves = fit(
        module,
        loader(steps, training_batch(data, order, token_masking, seed)),
        validation_batches(data),
        Schedule(label, order.steps_per_epoch, config.epochs * sum(data.train.lengths), prefix),
        config.precision,
        run,
        best,
    )
    return curves, {**best.best, "best_epoch": best.best_validation}


def training_batch(
    data: Classification, order: BucketedOrder, token_masking: float, seed: int
) -> Callable[[int], Batch]:
    """Step -> a bucketed batch with some of its tokens hidden, and all of them under `clean_ids`."""

    def make(step: int) -> Batch:
        batch = data.batch(data.train, order.samples(step))
        noisy = data.hide_tokens(batch, token_masking, derived_torch(seed, "token masking", step))
        return {**noisy, "clean_ids": batch["input_ids"]}

    return make


def validation_batches(data: Classification) -> DataLoader[Batch]:
    """The validation rows in their own order."""
    rows = len(data.validation.ids)
    return loader(
        -(-rows // VALIDATION_BATCH),
        lambda step: data.batch(
            data.validation, range(step * VALIDATION_BATCH, min((step + 1) * VALIDATION_BATCH, rows))
        ),
    )


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
    with staged(target) as folder:
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
