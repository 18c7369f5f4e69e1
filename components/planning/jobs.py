"""The work of a training stage, computed from its arguments before it runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerFast as Tokenizer

from components.modeling.adapters import adapt
from components.modeling.architectures import LANGUAGE_MODELS, architecture_of, build_language_model
from components.modeling.checkpoints import INIT_FROM, random_classifier
from components.modeling.heads import auto_model
from components.modeling.kinds import SAME
from components.modeling.loading import load_config, random_model
from components.modeling.objectives.lookup import build_objective, check_objective
from components.modeling.students import new_student, sizes, student_config
from components.params import Params
from components.planning import estimate
from components.planning.estimate import Memory, Shape
from components.starts import local_folder
from components.training.config import (
    DistillConfig,
    FinetuneConfig,
    PretrainConfig,
    TaskTrainingConfig,
    TrainerConfig,
    TrainingConfig,
)
from components.training.module import Learner
from components.training.task_data import TaskData
from components.training.task_training import VALIDATION_BATCH, passes_per_epoch
from components.training.trainer import lightning_precision

UNTRAINED: dict[str, Any] = {"steps": 0, "tokens": 0, "flops": 0.0, "validations": 1}
"""The Job of a distillation in which the teacher itself is the student."""


@dataclass(frozen=True)
class Job:
    """`validations`: passes over the validation split, each of `validation_batches`; `results`: bytes of the outputs.

    With early stopping `steps`, `validations` and what follows from them are upper bounds.
    """

    parameters: int
    steps: int
    validations: float
    validation_batches: int
    tokens: int
    flops: float
    memory: Memory
    checkpoint: int
    results: int

    @property
    def disk(self) -> int:
        return estimate.disk_bytes(self.checkpoint, self.results)


def blank_language_model(params: Params, vocabulary: Tokenizer) -> PreTrainedModel:
    """The model of the params on the `meta` device: its shape without its memory."""
    config = params.pretrain
    folder = None if config.init_from is None else local_folder("pretrain.init_from", config.init_from)
    with torch.device("meta"):
        if folder is not None:
            found = load_config(str(folder), INIT_FROM)
            return random_model(LANGUAGE_MODELS[architecture_of(found).language_model], found)
        check_objective(params.model.architecture, config.objective.name)
        return build_language_model(params.model, vocabulary, config.sequence_length)


def pretrain_job(given: dict[str, Any], model: PreTrainedModel, vocabulary: Tokenizer) -> Job:
    """The cost of the windows by the objective, step by step."""
    config: PretrainConfig = given["config"]
    result, objective = estimate.shape_of(model), build_objective(vocabulary, config)
    with torch.device("meta"):
        objective.attach(model)
    beside = sum(weight.numel() for weight in Learner(model, objective).beside().values())
    shape = replace(result, parameters=result.parameters + beside, inside=result.inside + beside)
    cost = objective.cost(config.steps * config.batch_size, config.sequence_length)
    part = objective.cost(_micro_batch(config, given["trainer"]), config.sequence_length)
    checkpoint = estimate.checkpoint_bytes(shape, config.optimizer, averaged=config.average_decay > 0, best=False)
    return Job(
        parameters=result.parameters,
        steps=config.steps,
        validations=-(-config.steps // config.validate_every),
        validation_batches=-(-config.validation_sequences // config.batch_size),
        tokens=cost.tokens,
        flops=estimate.training_flops(shape, cost.tokens, cost.length, cost.head_positions),
        memory=_memory(shape, config, given["trainer"], part.rows, part.length, 0),
        checkpoint=checkpoint,
        results=estimate.NUMBER * result.parameters,
    )


def finetune_job(given: dict[str, Any], data: TaskData) -> Job:
    """The teacher, with its adapter, for all epochs and seeds."""
    config: FinetuneConfig = given["config"]
    with torch.device("meta"):
        model = random_classifier(given["pretrained"], data.task.labels, 0.0, data.task.head)
        adapt(model, config.adapter, data.task.head)
    return _task_job(given, data, estimate.shape_of(model), None, max(1, len(config.seeds)))


def from_scratch_job(given: dict[str, Any], data: TaskData) -> Job:
    """The control without pretraining: trained whole, whatever the teacher's adapter."""
    config: FinetuneConfig = given["config"]
    with torch.device("meta"):
        model = random_classifier(given["pretrained"], data.task.labels, 0.0, data.task.head)
    return _task_job(given, data, estimate.shape_of(model), None, max(1, len(config.seeds)))


def distill_job(given: dict[str, Any], data: TaskData) -> Job:
    """The configured student: its teacher reads every batch too, and both are compared on the validation split.

    Where no student is trained, only the teacher reads that split. Larger students that may follow are not counted.
    """
    config: DistillConfig = given["config"]
    with torch.device("meta"):
        model = random_classifier(given["teacher"], data.task.labels, 0.0, data.task.head)
        tried = sizes(model.config, config)
        if not tried:
            return replace(_task_job(given, data, estimate.shape_of(model), None, trainings=1), **UNTRAINED)
        if config.architecture == SAME:
            asked = student_config(model.config, tried[0].layers, tried[0].pruned)
            student = random_model(auto_model(data.task.head, asked), asked)
        else:
            student = new_student(config.architecture, model.config, tried[0], data, 0.0)
    return _task_job(given, data, estimate.shape_of(student), estimate.shape_of(model), trainings=1)


def sketched_task_job(given: dict[str, Any], model: PreTrainedModel) -> Job:
    """The memory and disk of a training over a task's rows, before the rows are read."""
    config: TaskTrainingConfig = given["config"]
    shape = estimate.shape_of(model)
    checkpoint = estimate.checkpoint_bytes(shape, config.optimizer, averaged=config.average_decay > 0, best=True)
    rows = _micro_batch(config, given["trainer"])
    memory = _memory(shape, config, given["trainer"], rows, given["task"].max_length, 0)
    return Job(shape.parameters, 0, 0, 0, 0, 0.0, memory, checkpoint, estimate.NUMBER * shape.parameters)


def _task_job(given: dict[str, Any], data: TaskData, shape: Shape, teacher: Shape | None, trainings: int) -> Job:
    config: TaskTrainingConfig = given["config"]
    lengths = data.train.lengths
    passes = config.epochs * passes_per_epoch(config, len(lengths))
    tokens = trainings * passes * sum(lengths)
    mean = sum(lengths) / len(lengths)
    flops = estimate.training_flops(shape, tokens, mean, 0)
    validations: float = trainings * config.epochs
    if teacher is not None:
        flops += estimate.reading_flops(teacher, tokens, mean)
        validations += 1 + 2 * teacher.inside / shape.inside
    return Job(
        parameters=shape.parameters,
        steps=trainings * passes * -(-len(lengths) // config.batch_size),
        validations=validations,
        validation_batches=-(-len(data.validation.ids) // VALIDATION_BATCH),
        tokens=tokens,
        flops=flops,
        memory=_memory(
            shape,
            config,
            given["trainer"],
            _micro_batch(config, given["trainer"]),
            max(lengths),
            teacher.parameters if teacher else 0,
        ),
        checkpoint=estimate.checkpoint_bytes(shape, config.optimizer, averaged=config.average_decay > 0, best=True),
        results=trainings * estimate.NUMBER * shape.parameters,
    )


def _memory(
    shape: Shape,
    config: TrainingConfig,
    trainer: TrainerConfig,
    rows: int,
    length: int,
    others: int,
) -> Memory:
    return estimate.memory(
        shape,
        rows,
        length,
        narrow=lightning_precision(config.precision) == "bf16-mixed",
        recomputed=trainer.checkpoint_activations,
        optimizer=config.optimizer,
        others=others,
    )


def _micro_batch(config: TrainingConfig, trainer: TrainerConfig) -> int:
    """The rows of a step that are in memory at once."""
    return -(-config.batch_size // (trainer.accumulate * trainer.devices))
