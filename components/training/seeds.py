"""One training a seed, of which the best goes on: of the teacher, and of its control without pretraining."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel

from components.artifacts import read_manifest
from components.evaluation.spread import spreads
from components.modeling.checkpoints import load_tokenizer
from components.run import Metrics, Run
from components.tasks.config import TaskConfig
from components.tasks.metrics import Metric, rank_key
from components.tasks.rows import LabelShare
from components.training import ranks
from components.training.config import FinetuneConfig, TrainerConfig
from components.training.figures import History, curves_figure
from components.training.losses import learning
from components.training.randomness import derived_seed
from components.training.store import CheckpointStore
from components.training.task_data import TaskData
from components.training.task_training import learn_task, save_classifier, task_schedule
from components.training.trainer import prepare_libraries

Finish = Callable[[], float]
"""Merges what an adapter has learned; returns the largest change of an output by it."""


@dataclass(frozen=True)
class Given:
    """What both stages are given: recipe, rows and the pretrained folder, whose tokenizer both use."""

    config: FinetuneConfig
    task: TaskConfig
    task_name: str
    trainer: TrainerConfig
    seed: int
    rows: Path
    pretrained: Path
    checkpoints: CheckpointStore
    run: Run

    @property
    def share(self) -> LabelShare:
        """The training rows to learn from."""
        return LabelShare(self.config.label_fraction, self.seed)

    def read(self) -> TaskData:
        """The rows, encoded. Raises ArtifactError where `pretrained` is no pretrained folder."""
        read_manifest(self.pretrained, "pretrained")
        prepare_libraries(self.config.threads)
        return TaskData.read(self.rows, self.task, load_tokenizer(self.pretrained), self.share)


@dataclass(frozen=True)
class Trained:
    """A classifier, its validation metrics, and the one of them that decides."""

    seed: int
    model: PreTrainedModel
    metrics: dict[str, float]
    metric: Metric


@dataclass(frozen=True)
class Trainings:
    """The trainings of a stage, which differ in their seed.

    `name`: of the classifier, in metrics and checkpoints; `called`: of the stage, in messages; `build`: the model to
    begin with, from the pretrained folder, the labels, the dropout and the head; `adapt`: chooses what of it is
    trained.
    """

    name: str
    called: str
    build: Callable[..., PreTrainedModel]
    adapt: Callable[[PreTrainedModel, TaskData], Finish | None]
    given: Given
    data: TaskData

    def best(self, target: Path, made_from: dict[str, Path]) -> Metrics:
        """Train one for each seed, and write the one with the best first metric on validation rows, of equal ones the
        first; the others stand beside it under `seeds/`, for the evaluation's mean and spread. Returns its metrics.
        """
        given = self.given
        trained: list[Trained] = []
        histories: dict[str, History] = {}
        for seed in given.config.seeds or [given.seed]:
            one, history = self._train(seed)
            histories[self._part(seed)] = history
            trained.append(one)
        metric = trained[0].metric
        best = max(trained, key=lambda one: rank_key(metric, one.metrics.get(metric.name, 0.0)))
        metrics: Metrics = {self.name: best.metrics}
        if len(trained) > 1:
            scores = {one.seed: one.metrics for one in trained}
            metrics["seeds"] = {self.name: spreads(scores, best.seed, self.data.task.metrics)}
        if ranks.is_rank_zero():
            others = {one.seed: one.model for one in trained if one is not best}
            tokenizer, name = given.pretrained, given.task_name
            save_classifier(best.model, tokenizer, target, name, self.data, made_from, others, seed=best.seed)
        given.run.log_figure("loss.png", curves_figure(histories, ["loss", metric.name]))
        return metrics

    def _part(self, seed: int) -> str:
        """Of a training, in checkpoints and curves; with one seed the seed is left out."""
        return f"{self.name}-{seed}" if len(self.given.config.seeds) > 1 else self.name

    def _train(self, seed: int) -> tuple[Trained, History]:
        """Train one classifier, and merge its adapter."""
        given, config, part = self.given, self.given.config, self._part(seed)
        torch.manual_seed(derived_seed(seed, "classifier"))
        task = self.data.task
        model = self.build(given.pretrained, task.labels, config.dropout, task.head)
        self.data.check_length(model, given.task_name)
        data, objective = learning(model, self.data, config, given.rows, given.share)
        finish = self.adapt(model, data)
        several = part != self.name
        label = f"{self.called} {given.task_name}{f' seed {seed}' if several else ''}"
        schedule = task_schedule(data, config, label, f"{part}/" if several else "")
        store = given.checkpoints.part(part)
        curves, found = learn_task(model, objective, data, config, given.trainer, seed, schedule, store, given.run)
        if finish is not None:
            found["merge_difference"] = finish()
        return Trained(seed, model, found, data.metric), curves.history
