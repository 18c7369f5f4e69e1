"""Stage train_from_scratch: fine-tuning's control, the same model with random weights, shows what pretraining bought.

A stage of its own: nothing waits for it but the evaluation, so it is trained beside the teacher's way to a bundle.
"""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedModel

from components.artifacts import of_kind, write_manifest
from components.modeling.checkpoints import random_classifier
from components.run import Metrics, Run
from components.staging import staged
from components.tasks.config import TaskConfig
from components.training import ranks
from components.training.config import FinetuneConfig, TrainerConfig
from components.training.seeds import Given, Trainings
from components.training.store import CheckpointStore
from components.training.task_data import TaskData


def train_from_scratch(
    config: FinetuneConfig,
    task: TaskConfig,
    task_name: str,
    trainer: TrainerConfig,
    seed: int,
    rows: Path,
    pretrained: Path,
    scratch: Path,
    checkpoints: CheckpointStore,
    run: Run,
) -> Metrics:
    """Train a model of `pretrained`'s architecture from random weights by the teacher's recipe, with all its seeds, or
    the comparison would flatter pretraining. Nothing is trained where `finetune.without_pretraining` is false.

    Returns the best epoch's validation metrics.
    """
    # A layer-wise rate would spare weights that have learned nothing yet.
    recipe = config.model_copy(update={"layer_decay": 1.0})
    given = Given(recipe, task, task_name, trainer, seed, rows, pretrained, checkpoints, run)
    data = given.read()
    if not config.without_pretraining:
        _leave_out(scratch, task_name, data)
        return {}
    trainings = Trainings("scratch", "train_from_scratch", random_classifier, _whole, given, data)
    return trainings.best(scratch, {"rows": rows})


def _whole(model: PreTrainedModel, data: TaskData) -> None:
    """All weights are trained, whatever the teacher's adapter: one on random weights would flatter pretraining."""


def _leave_out(target: Path, task_name: str, data: TaskData) -> None:
    """Write a classifier's folder without a classifier: DVC wants each output of a stage, and this one says why."""
    if ranks.is_rank_zero():
        with staged(target, of_kind("classifier")) as folder:
            details = {"task": task_name, **data.task.manifest(), "max_length": data.max_length}
            write_manifest(folder, "classifier", {}, left_out="finetune.without_pretraining", **details)
