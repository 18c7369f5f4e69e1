"""Stage finetune: the pretrained model learns a task."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from transformers import PreTrainedModel

from components.errors import LianziError
from components.modeling.adapters import adapt
from components.modeling.adapters.adapter import Merge
from components.modeling.checkpoints import load_classifier
from components.run import Metrics, Run
from components.tasks.config import TaskConfig
from components.training.config import AdapterConfig, FinetuneConfig, TrainerConfig
from components.training.seeds import Finish, Given, Trainings
from components.training.store import CheckpointStore
from components.training.task_data import TaskData
from components.training.task_outputs import NEVER, outputs_of
from components.training.task_training import validation_batch

MAX_MERGE_DIFFERENCE = 1e-3
"""Of an output, as a share of the largest: more than rounding explains."""


def finetune(
    config: FinetuneConfig,
    task: TaskConfig,
    task_name: str,
    trainer: TrainerConfig,
    seed: int,
    rows: Path,
    pretrained: Path,
    teacher: Path,
    checkpoints: CheckpointStore,
    run: Run,
) -> Metrics:
    """Train the teacher: with several seeds one of each, of which the best goes on.

    Returns the best epoch's validation metrics.
    """
    given = Given(config, task, task_name, trainer, seed, rows, pretrained, checkpoints, run)
    run.say(f"finetune {task_name}: encoding the rows")
    data = given.read()
    run.say(
        f"finetune {task_name}: {len(data.train.ids):,} rows to learn from, {len(data.validation.ids):,} to choose by, "
        f"{len(data.task.labels)} labels"
    )
    if cut := data.check_cut(task_name):
        run.say(
            f"finetune {task_name}: warning: {cut:,} training rows are longer than tasks.{task_name}.max_length "
            f"{data.max_length} and cut before their answer: they teach nothing"
        )
    build, adapted = partial(_pretrained_classifier, run), partial(_adapted, config.adapter, task_name)
    trainings = Trainings("teacher", "finetune", build, adapted, given, data)
    metrics = trainings.best(teacher, {"rows": rows, "pretrained": pretrained})
    return ({"rows_without_answer": cut} if cut else {}) | metrics


def _pretrained_classifier(
    run: Run, pretrained: Path, labels: Sequence[str], dropout: float, head: str
) -> PreTrainedModel:
    loaded = load_classifier(pretrained, labels, dropout, head)
    for line in loaded.remarks(pretrained):
        run.say(line)
    return loaded.model


def _adapted(config: AdapterConfig, task_name: str, model: PreTrainedModel, data: TaskData) -> Finish | None:
    merge = adapt(model, config, data.task.head)
    return None if merge is None else partial(merged, model, merge, data, task_name)


@torch.no_grad()
def merged(model: PreTrainedModel, merge: Merge, data: TaskData, task_name: str) -> float:
    """Merge an adapter into its model. Returns how far an output of validation rows moved, as a share of the largest.

    Raises LianziError where that is more than rounding: every later stage has the merged model alone.
    """
    batch = validation_batch(data, 0)
    before = outputs_of(model, batch)
    merge()
    largest = before[before > NEVER / 2].abs().max()
    difference = float((outputs_of(model, batch) - before).abs().max() / largest.clamp(min=1.0))
    if not difference <= MAX_MERGE_DIFFERENCE:
        raise LianziError(
            f"finetune {task_name}: with the adapter merged, outputs differ by {difference:.1e} of the largest",
            "lower finetune.adapter.alpha or finetune.learning_rate",
        )
    return difference
