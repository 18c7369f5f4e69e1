"""Stage finetune: the pretrained model learns a task; so does its random twin, to show what pretraining bought."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from transformers import PreTrainedModel

from components.artifacts import of_kind, read_manifest, write_manifest
from components.errors import LianziError
from components.evaluation.spread import SEEDS, spreads
from components.modeling.adapters import adapt
from components.modeling.adapters.adapter import Merge
from components.modeling.architectures import architecture_of
from components.modeling.checkpoints import load_classifier, load_tokenizer, random_classifier, save_checkpoint
from components.modeling.kinds import GENERATES
from components.modeling.objectives.objective import Batch, Objective
from components.run import Metrics, Run
from components.staging import staged
from components.tasks.config import TaskConfig
from components.tasks.metrics import Metric, rank_key
from components.tasks.rows import LabelShare
from components.tasks.task import Task
from components.training import ranks
from components.training.batches import Batches, check_division
from components.training.callbacks import EarlyStopping, MetricLogger
from components.training.config import AdapterConfig, FinetuneConfig, TaskTrainingConfig, TrainerConfig
from components.training.figures import History, curves_figure
from components.training.losses import learning
from components.training.module import LanguageModule
from components.training.order import BucketedOrder
from components.training.randomness import derived_seed, seeded_torch_generator
from components.training.store import CheckpointStore
from components.training.task_data import NEVER, TaskData, WindowsObjective, outputs_of, task_objective
from components.training.trainer import Schedule, fit, prepare_libraries

VALIDATION_BATCH = 64
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
    scratch: Path,
    checkpoints: CheckpointStore,
    run: Run,
) -> Metrics:
    """Train the teacher, and by the same recipe the control without pretraining where the config asks for it.

    With several seeds each trains its own, and the one with the best first metric on validation rows goes on, of equal
    ones the first; the others stand beside it under `seeds/`, for the evaluation's mean and spread. The control is
    chosen in the same way, or the comparison would flatter pretraining. Returns the best epoch's validation metrics of
    each.
    """
    read_manifest(pretrained, "pretrained")
    prepare_libraries(config.threads)
    run.say(f"finetune {task_name}: encoding the rows")
    share = LabelShare(config.label_fraction, seed)
    data = TaskData.read(rows, task, load_tokenizer(pretrained), share)
    run.say(
        f"finetune {task_name}: {len(data.train.ids):,} rows to learn from, {len(data.validation.ids):,} to choose by, "
        f"{len(data.task.labels)} labels"
    )
    if cut := data.check_cut(task_name):
        run.say(
            f"finetune {task_name}: warning: {cut:,} training rows are longer than tasks.{task_name}.max_length "
            f"{data.max_length} and cut before their answer: they teach nothing"
        )
    shared = _Shared(config, task_name, trainer, rows, share, pretrained, data, checkpoints, run)
    histories: dict[str, History] = {}
    metrics: Metrics = {"rows_without_answer": cut} if cut else {}
    for name, build, target, made_from in (
        ("teacher", partial(_pretrained_classifier, run), teacher, {"rows": rows, "pretrained": pretrained}),
        ("scratch", random_classifier, scratch, {"rows": rows}),
    ):
        if name == "scratch" and not config.without_pretraining:
            _leave_out(target, task_name, data)
            continue
        trained = []
        for number in config.seeds or [seed]:
            one, history = shared.train(name, build, number)
            histories[shared.name_of(name, number)] = history
            trained.append(one)
        metric = trained[0].metric
        best = max(trained, key=lambda one: rank_key(metric, one.metrics.get(metric.name, 0.0)))
        metrics[name] = best.metrics
        if len(trained) > 1:
            scores = {one.seed: one.metrics for one in trained}
            metrics.setdefault("seeds", {})[name] = spreads(scores, best.seed, data.task.metrics)
        if ranks.is_rank_zero():
            others = {one.seed: one.model for one in trained if one is not best}
            save_classifier(best.model, pretrained, target, task_name, data, made_from, others, seed=best.seed)
    run.log_figure("loss.png", curves_figure(histories, ["loss", metric.name]))
    return metrics


@dataclass(frozen=True)
class Trained:
    """A classifier, its validation metrics, and the one of them that decides."""

    seed: int
    model: PreTrainedModel
    metrics: dict[str, float]
    metric: Metric


@dataclass(frozen=True)
class _Shared:
    """What the trainings of one run of the stage share."""

    config: FinetuneConfig
    task_name: str
    trainer: TrainerConfig
    rows: Path
    share: LabelShare
    pretrained: Path
    data: TaskData
    checkpoints: CheckpointStore
    run: Run

    def name_of(self, name: str, seed: int) -> str:
        """Of a training, in checkpoints, metrics and messages; with one seed the seed is left out."""
        return f"{name}-{seed}" if len(self.config.seeds) > 1 else name

    def train(self, name: str, build: Callable[..., PreTrainedModel], seed: int) -> tuple[Trained, History]:
        """Train one classifier, and merge its adapter."""
        config, whole = self.config, self.name_of(name, seed)
        torch.manual_seed(derived_seed(seed, "classifier"))
        task = self.data.task
        model = build(self.pretrained, task.labels, config.dropout, task.head)
        self.data.check_length(model, self.task_name)
        data, objective = learning(model, self.data, config, self.rows, self.share)
        # The control is trained whole: an adapter on random weights would flatter pretraining.
        recipe = config if name == "teacher" else in_full(config)
        merge = adapt(model, recipe.adapter, task.head)
        prefix = "" if whole == "teacher" else f"{whole}/"
        schedule = task_schedule(data, config, f"finetune {self.task_name} {whole}", prefix)
        store = self.checkpoints.part(whole)
        curves, found = learn_task(model, objective, data, recipe, self.trainer, seed, schedule, store, self.run)
        if merge is not None:
            found["merge_difference"] = merged(model, merge, data, self.task_name)
        return Trained(seed, model, found, data.metric), curves.history


def _leave_out(target: Path, task_name: str, data: TaskData) -> None:
    """Write a classifier's folder without a classifier: DVC wants each output of a stage, and this one says why."""
    if ranks.is_rank_zero():
        with staged(target, of_kind("classifier")) as folder:
            details = {"task": task_name, **data.task.manifest(), "max_length": data.max_length}
            write_manifest(folder, "classifier", {}, left_out="finetune.without_pretraining", **details)


def in_full(config: FinetuneConfig) -> FinetuneConfig:
    """The same recipe for a model whose weights are all new."""
    return config.model_copy(update={"adapter": AdapterConfig(name="full"), "layer_decay": 1.0})


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


def _pretrained_classifier(
    run: Run, pretrained: Path, labels: Sequence[str], dropout: float, head: str
) -> PreTrainedModel:
    loaded = load_classifier(pretrained, labels, dropout, head)
    for line in loaded.remarks(pretrained):
        run.say(line)
    return loaded.model


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
