"""Stage distill: a smaller student learns from its teacher's answers, its hidden states and the labels."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, kl_div, layer_norm, log_softmax
from transformers import PreTrainedModel

from components.artifacts import read_manifest
from components.modeling.architectures import layers_of
from components.modeling.checkpoints import load_tokenizer
from components.modeling.heads import HEADS
from components.modeling.kinds import GENERATES
from components.modeling.loading import load_model
from components.modeling.objectives.objective import Batch
from components.modeling.pruning import KeptUnits, ModelSizes, select_units
from components.modeling.students import LayerMap, Size, build_student, sizes
from components.modeling.vocabulary import check_padding_stays, prune_vocabulary
from components.run import Metrics, Run
from components.tasks.config import TaskConfig
from components.tasks.rows import EVERY_ROW, LabelShare, read_task
from components.tasks.task import NO_TARGET
from components.tokenization.pruning import prune_tokenizer
from components.training import ranks
from components.training.config import DistillConfig, TrainerConfig
from components.training.figures import History, curves_figure
from components.training.finetune import VALIDATION_BATCH, learn_task, save_classifier, task_schedule, validation_batch
from components.training.quantization_aware import quantization_aware
from components.training.randomness import derived_seed
from components.training.store import CheckpointStore
from components.training.task_data import (
    TaskData,
    TaskObjective,
    beside_ids,
    by_choice,
    one_by_one,
    outputs_of,
    task_objective,
    training_texts,
)
from components.training.trainer import prepare_libraries
from components.training.word_counts import WordCounts

IMPORTANCE_ROWS = 1024
"""Rows, spread over the training rows, by which channels, neurons and heads are judged."""


def distill(
    config: DistillConfig,
    task: TaskConfig,
    task_name: str,
    trainer: TrainerConfig,
    seed: int,
    rows: Path,
    teacher: Path,
    student: Path,
    checkpoints: CheckpointStore,
    run: Run,
    share: LabelShare = EVERY_ROW,
) -> Metrics:
    """Train a student of `teacher`, trim its vocabulary and write it to `student`.

    One that loses more than `max_loss` is followed by a larger one, and after the largest the teacher itself goes on as
    the student (components.modeling.students.sizes). Returns the validation metrics of what is written, and what was
    refused. Raises ParameterError where the teacher cannot be made smaller in the way asked for.
    """
    read_manifest(teacher, "classifier")
    prepare_libraries(config.threads)
    guide: PreTrainedModel = load_model(HEADS[read_task(rows).head], teacher).model.eval()
    tried = sizes(guide.config, config)
    data = TaskData.read(rows, task, load_tokenizer(teacher), share)
    with tempfile.TemporaryDirectory() as folder:
        # Numbers and tags are learned from one teacher: a mixture of two was not tried.
        output = data.task.output
        mixes = config.count_words and output.kind == "categorical" and not (output.per_token or output.per_choice)
        counts = word_counts(guide, data, rows, share, task) if mixes and tried else None
        if counts:
            run.say(f"distill {task_name}: counting words has {counts.share:.0%} of the soft labels")
            data = replace(data, train=replace(data.train, word_counts=counts.probabilities))
        school = School(
            config, task, task_name, trainer, seed, rows, share, teacher, guide, data, counts, checkpoints, run
        )
        found = school.graduate(tried, Path(folder))
        if not ranks.is_rank_zero():
            return {}
        made_from = {"rows": rows, "teacher": teacher}
        line = told(found, config.max_loss)
        save_classifier(found.model, found.tokenizer, student, task_name, found.data, made_from, distillation=line)
    run.say(f"distill {task_name}: {line}")
    return {
        **found.metrics,
        "agreement": 1.0 if found.size is None else agreement(guide, found.model, data, found.data),
        "layers": len(layers_of(found.model)),
        "vocabulary": found.model.config.vocab_size,
        f"teacher_{found.data.metric.name}": found.teacher_score,
        "teacher_goes_on": int(found.size is None),
        "word_count_share": counts.share if counts and found.size else 0.0,
        "refused": {name: {found.data.metric.name: score} for name, score in found.refused.items()},
    }


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
        if trimmed.kept:
            check_padding_stays(self.guide.config, trimmed.kept)
        torch.manual_seed(derived_seed(self.seed, "student"))
        kept = select_student_units(self.guide, self.data, size.pruned)
        learner = build_student(self.guide, size.layers, kept, config.dropout, self.data.task.head)
        learned_task = task_objective(self.data)
        objective = DistillationObjective(self.guide, size.layers, config, learned_task, kept.channels, self.counts)
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


def told(found: Graduate, max_loss: float) -> str:
    """What became of a teacher's students, in a line."""
    metric = found.data.metric
    losses = {name: metric.improvement(score, found.teacher_score) for name, score in found.refused.items()}
    lost = ", ".join(f"{name} by {loss:.4f}" for name, loss in losses.items())
    before = (
        f"students below the teacher by more than {max_loss:g} {metric.title} on validation rows: {lost}"
        if lost
        else ""
    )
    if found.size is None:
        reason = before or "the student asked for is as large as its teacher"
        return f"the teacher itself goes on as the student ({described(found.model)}): {reason}"
    line = (
        f"the student {found.size.name} ({described(found.model)}) has {metric.title} "
        f"{found.metrics[metric.name]:.4f} on validation rows, its teacher {found.teacher_score:.4f}"
    )
    return f"{line}; {before}" if before else line


def described(model: PreTrainedModel) -> str:
    """How large a model is."""
    config = model.config
    layers = len(layers_of(model))
    return f"{layers} layer{'s' * (layers > 1)}, {config.hidden_size} wide, {config.vocab_size} tokens"


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
        kept = prune_tokenizer(teacher, folder, texts, data.max_length, least)
        return cls(folder, kept, encoded(folder))


@dataclass(frozen=True)
class DistillationObjective:
    """Soft labels at a temperature (Hinton 2015), hidden states (Jiao 2020, TinyBERT) and hard labels.

    The teacher reads the clean text; the student may read one with hidden tokens.
    """

    teacher: PreTrainedModel
    layers: LayerMap
    config: DistillConfig
    task: TaskObjective
    channels: Tensor | None = None
    """Those of the teacher that the student has."""
    counts: WordCounts | None = None
    """The second teacher."""

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        with torch.no_grad():
            teacher = self.teacher.to(batch["attention_mask"].device)
            guide = teacher(
                one_by_one(batch["clean_ids"], batch), **beside_ids(teacher, batch), output_hidden_states=True
            )
        answer = model(one_by_one(batch["input_ids"], batch), **beside_ids(model, batch), output_hidden_states=True)
        logits = by_choice(answer.logits, batch)
        hard = self.task.task.loss(logits, batch["targets"]) / batch["count"]
        own, answers = logits.float(), by_choice(guide.logits, batch).float()
        temperature = self.config.temperature
        if self.counts is not None:
            answers = self.counts.mixed(answers, batch["word_counts"], temperature)
        if self.task.task.output.per_token:
            counted = (batch["targets"] != NO_TARGET)[..., None]
            # Where both are 0 they do not differ. Taking the others out would make the GPU wait for their number.
            own, answers = own.where(counted, 0), answers.where(counted, 0)
        soft = SOFT_LOSSES[self.task.task.output.kind](own, answers, temperature) / batch["count"]
        hidden = self._hidden_loss(answer, guide, batch)
        weight = self.config.soft_weight
        return weight * soft + (1 - weight) * hard + self.config.hidden_weight * hidden

    def _hidden_loss(self, answer: Any, guide: Any, batch: Batch) -> Tensor:
        """The difference of hidden states, a token; of an encoder-decoder that of either half."""
        total = torch.zeros((), device=batch["attention_mask"].device)
        mine, its = stacks_of(answer, batch), stacks_of(guide, batch)
        first = 0
        for (states, mask, count), (whole, _, _) in zip(mine, its, strict=True):
            imitated = [index - first for index in self.layers.imitated if 0 <= index - first < len(whole)]
            wanted = [whole[index] for index in imitated]
            if self.channels is not None:
                kept = self.channels.to(mask.device, non_blocking=True)
                wanted = [one.index_select(-1, kept) for one in wanted]
            total = total + hidden_loss(states, wanted, mask) / count
            first += len(whole)
        return total

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        return self.task.score(model, batch)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        return self.task.summary(scores)


def stacks_of(output: Any, batch: Batch) -> list[tuple[Sequence[Tensor], Tensor, int]]:
    """Of a model's stacks of layers, the encoder's first: the layers' outputs [n, length, width], which tokens are real
    [n, length], and how many are."""
    mask = one_by_one(batch["attention_mask"], batch)
    # The first of the states is the embedding.
    if "decoder_hidden_states" not in output:
        return [(output.hidden_states[1:], mask, batch["tokens"])]
    written = (batch["targets"] != NO_TARGET).long()
    return [
        (output.encoder_hidden_states[1:], mask, batch["tokens"]),
        (output.decoder_hidden_states[1:], written, batch["count"]),
    ]


def squared_difference(outputs: Tensor, wanted: Tensor, _temperature: float) -> Tensor:
    """Sum over rows: numbers have no temperature."""
    return (outputs - wanted).square().sum()


def divergence(logits: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """Sum over rows, or tokens, of the divergence from the teacher's softened answers.

    Times temperature squared, so that gradients keep their size.
    """
    student = log_softmax(logits / temperature, dim=-1)
    teacher = log_softmax(wanted / temperature, dim=-1)
    return kl_div(student, teacher, reduction="sum", log_target=True) * temperature**2


def binary_divergence(logits: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """Sum over rows and labels of the cross-entropy with the teacher's softened probability of each label."""
    soft = (wanted / temperature).sigmoid()
    return binary_cross_entropy_with_logits(logits / temperature, soft, reduction="sum") * temperature**2


SOFT_LOSSES: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "categorical": divergence,
    "binary": binary_divergence,
    "real": squared_difference,
}
"""What a student's outputs are wrong by where a teacher's are right, by the kind of output."""


def hidden_loss(states: Sequence[Tensor], wanted: Sequence[Tensor], mask: Tensor) -> Tensor:
    """Squared difference of states [n, length, width]: mean over layers and dimensions, sum over real tokens.

    States are brought to mean 0 and variance 1 first: the residual stream has no natural scale.
    """
    total = torch.zeros((), device=mask.device)
    for state, target in zip(states, wanted, strict=True):
        width = state.shape[-1:]
        difference = layer_norm(state.float(), width) - layer_norm(target.float(), width)
        total = total + (difference.square().mean(dim=-1) * mask).sum()
    return total / len(wanted)


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
def word_counts(
    teacher: PreTrainedModel, data: TaskData, rows: Path, share: LabelShare, task: TaskConfig
) -> WordCounts | None:
    """The second teacher, where it adds to the first."""
    outputs = torch.cat([outputs_of(teacher, batch) for batch in _validation(data)])
    return WordCounts.of(rows, share, data.task, task.language, outputs.float().softmax(dim=1))


@torch.no_grad()
def validate(model: PreTrainedModel, data: TaskData) -> dict[str, float]:
    """The validation metrics of a model as it is."""
    objective = task_objective(data)
    return objective.summary([objective.score(model, batch) for batch in _validation(data)])


@torch.no_grad()
def agreement(teacher: PreTrainedModel, student: PreTrainedModel, data: TaskData, own: TaskData) -> float:
    """How far both answer the validation rows alike; `own`: the task in the student's ids."""
    answers = [
        task_objective(part).answers(model, _validation(part))
        for model, part in ((teacher.cpu(), data), (student, own))
    ]
    return data.task.agreement(*answers)


def _validation(data: TaskData) -> Iterator[Batch]:
    return (validation_batch(data, number) for number in range(-(-len(data.validation.ids) // VALIDATION_BATCH)))
