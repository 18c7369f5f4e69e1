"""The students of one teacher, tried one after another until one keeps enough of what the teacher can do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from components.modeling.architectures import layers_of
from components.modeling.checkpoints import load_tokenizer
from components.modeling.kinds import GENERATES, SAME
from components.modeling.objectives.objective import Batch
from components.modeling.pruning import KeptUnits, ModelSizes, select_units
from components.modeling.students import Size, build_student, new_student
from components.modeling.vocabulary import check_padding_stays, prune_vocabulary
from components.run import Run
from components.tasks.config import TaskConfig
from components.tasks.rows import LabelShare
from components.tokenization.pruning import prune_tokenizer
from components.training import ranks
from components.training.config import DistillConfig, TrainerConfig
from components.training.distillation import DistillationObjective
from components.training.features import build_features
from components.training.features.feature import Imitated
from components.training.figures import History, curves_figure
from components.training.quantization_aware import quantization_aware
from components.training.randomness import derived_seed
from components.training.store import CheckpointStore
from components.training.task_data import TaskData, training_texts
from components.training.task_objective import task_objective
from components.training.task_training import VALIDATION_BATCH, learn_task, task_schedule, validation_batch
from components.training.word_counts import WordCounts

IMPORTANCE_ROWS = 1024
"""Rows, spread over the training rows, by which channels, neurons and heads are judged."""


@dataclass(frozen=True)
class Graduate:
    """What goes on from here: a trained student, or the teacher where `size` is None.

    `tokenizer`: the folder it stands in; `data`: the task in the model's ids; `metrics`: on validation rows;
    `teacher_score` and `refused` (size -> score) are by the task's first metric, `refused` has the students that lost
    too much.
    """

    size: Size | None
    model: PreTrainedModel
    tokenizer: Path
    data: TaskData
    metrics: dict[str, float]
    teacher_score: float
    refused: dict[str, float]


@dataclass(frozen=True)
class School:
    """A teacher with its task, and the students that are tried one after another."""

    config: DistillConfig
    task: TaskConfig
    task_name: str
    trainer: TrainerConfig
    seed: int
    rows: Path
    share: LabelShare
    teacher: Path
    guide: PreTrainedModel
    data: TaskData
    counts: WordCounts | None
    checkpoints: CheckpointStore
    run: Run

    def graduate(self, tried: Sequence[Size], folder: Path) -> Graduate:
        """The first student that keeps enough of its teacher's score, else the teacher. Trained in `folder`.

        A training that had ended before an interruption gives its figures again without a step, so the same students
        are refused again. All ranks must ask; what the leading one finds holds for all.
        """
        metric = self.data.metric
        own = validate(self.guide, self.data) if ranks.is_rank_zero() else {metric.name: 0.0}
        refused: dict[str, float] = {}
        histories: dict[str, History] = {}
        for number, size in enumerate(tried):
            found, histories[size.name] = self.taught(size, folder / size.name, own[metric.name], refused)
            loss = metric.improvement(found.metrics[metric.name], own[metric.name])
            if not ranks.rank_zero_says(loss > self.config.max_loss):
                break
            refused[size.name] = found.metrics[metric.name]
            after = tried[number + 1].name if number + 1 < len(tried) else "the teacher itself"
            self.run.say(
                f"distill {self.task_name}: the student {size.name} ({described(found.model)}) has "
                f"{metric.title} {found.metrics[metric.name]:.4f} on validation rows, {loss:.4f} below its teacher; "
                f"distill.max_loss allows {self.config.max_loss:g}; next: {after}"
            )
        else:
            metrics = {**own, "best_epoch": 0}
            if not tried:
                # Nobody learns anything: one point, so that there is a curve to open.
                self.run.log_metrics(own, 0)
            found = Graduate(None, self.guide, self.teacher, self.data, metrics, own[metric.name], refused)
        if histories and ranks.is_rank_zero():
            self.run.log_figure("loss.png", curves_figure(histories, ["loss", metric.name]))
        return found

    def encoded(self, tokenizer: Path) -> TaskData:
        """The task in the ids of a folder's tokenizer."""
        return TaskData.read(self.rows, self.task, load_tokenizer(tokenizer), self.share)

    def beginner(self, size: Size) -> tuple[PreTrainedModel, KeptUnits]:
        """A student before it learns, and the units of its teacher that it has: all, where it is no copy."""
        config = self.config
        if config.architecture != SAME:
            return new_student(config.architecture, self.guide.config, size, self.data, config.dropout), KeptUnits()
        kept = select_student_units(self.guide, self.data, size.pruned)
        return build_student(self.guide, size.layers, kept, config.dropout, self.data.task.head), kept

    def taught(
        self, size: Size, folder: Path, teacher_score: float, refused: dict[str, float]
    ) -> tuple[Graduate, History]:
        """A student of this size, trained and trimmed, and its curves."""
        config = self.config
        folder.mkdir()
        texts = training_texts(self.rows, self.share)
        # A language model's answers are over its tokens: teacher and student have to have the same.
        least = 0 if self.data.task.head in GENERATES else size.min_token_count
        trimmed = PrunedVocabulary.of(least, texts, self.data, self.teacher, folder, self.encoded)
        torch.manual_seed(derived_seed(self.seed, "student"))
        learner, kept = self.beginner(size)
        if trimmed.kept:
            check_padding_stays(learner.config, trimmed.kept)
        learned_task = task_objective(self.data)
        imitated = Imitated(size.layers.imitated, kept.channels)
        features = build_features(config.features, self.guide, learner, imitated)
        objective = DistillationObjective(self.guide, features, config, learned_task, self.counts)
        # The size asked for has the plain names, as long as it is the only one.
        again = bool(refused)
        label = f"distill {self.task_name}{f' {size.name}' if again else ''}"
        schedule = task_schedule(self.data, config, label, f"{size.name}/" if again else "")
        steps = config.epochs * schedule.validate_every
        learned = quantization_aware(objective, config.quantization_aware, steps, self.trainer)
        store = self.checkpoints.part(size.name)
        curves, metrics = learn_task(
            learner, learned, self.data, config, self.trainer, self.seed, schedule, store, self.run
        )
        if ranks.is_rank_zero():
            if trimmed.kept:
                prune_vocabulary(learner, trimmed.kept)
            if trimmed.kept or config.quantization_aware:
                metrics |= validate(learner, trimmed.data)
        found = Graduate(size, learner, trimmed.tokenizer, trimmed.data, metrics, teacher_score, refused)
        return found, curves.history


@dataclass(frozen=True)
class PrunedVocabulary:
    """A student's vocabulary: its tokenizer's folder, the teacher's ids of its tokens, and the task in its own ids.

    Chosen before the training, applied after it: the teacher reads every batch too, in ids that both share. Where
    nothing is pruned the tokenizer and the data are the teacher's, and `kept` is empty.
    """

    tokenizer: Path
    kept: list[int]
    data: TaskData

    @classmethod
    def of(
        cls,
        least: int,
        texts: Sequence[str],
        data: TaskData,
        teacher: Path,
        folder: Path,
        encoded: Callable[[Path], TaskData],
    ) -> PrunedVocabulary:
        """The tokens that occur `least` times in `texts`, in a tokenizer written to `folder`.

        `encoded` gives the task in the ids of a folder's tokenizer.
        """
        if least == 0:
            return cls(teacher, [], data)
        # Windows read a context to its end.
        longest = sys.maxsize if data.task.output.over_tokens else data.max_length
        kept = prune_tokenizer(teacher, folder, texts, longest, least)
        return cls(folder, kept, encoded(folder))


def described(model: PreTrainedModel) -> str:
    """How large a model is."""
    config = model.config
    layers = len(layers_of(model))
    return f"{layers} layer{'s' * (layers > 1)}, {config.hidden_size} wide, {config.vocab_size} tokens"


def select_student_units(teacher: PreTrainedModel, data: TaskData, pruned: ModelSizes) -> KeptUnits:
    """The teacher's channels, neurons and heads that are most important for its answers to some training rows."""
    objective = task_objective(data)
    rows = range(0, len(data.train.ids), -(-len(data.train.ids) // IMPORTANCE_ROWS))

    def losses(model: PreTrainedModel) -> Iterator[Tensor]:
        for start in range(0, len(rows), VALIDATION_BATCH):
            batch = data.batch(data.train, rows[start : start + VALIDATION_BATCH])
            yield objective.loss(model, batch) * batch["count"]

    return select_units(teacher, losses, pruned)


@torch.no_grad()
def validate(model: PreTrainedModel, data: TaskData) -> dict[str, float]:
    """The validation metrics of a model as it is."""
    objective = task_objective(data)
    return objective.summary([objective.score(model, batch) for batch in validation_batches(data)])


def validation_batches(data: TaskData) -> Iterator[Batch]:
    return (validation_batch(data, number) for number in range(-(-len(data.validation.ids) // VALIDATION_BATCH)))
