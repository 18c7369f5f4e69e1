"""Stage distill: a smaller student learns from its teacher's answers, its hidden states and the labels."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, layer_norm, log_softmax
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from components.artifacts import read_manifest
from components.modeling.architectures import layers_of
from components.modeling.checkpoints import load_tokenizer
from components.modeling.loading import load_model
from components.modeling.objectives import Batch
from components.modeling.pruning import Kept, most_important, narrower
from components.modeling.students import LayerMap, build_student, map_layers
from components.modeling.vocabulary import keep_tokens
from components.params import DistillConfig, TaskConfig, TrainerConfig
from components.run import Metrics, Run
from components.tasks.classification import Classification, ClassificationObjective, logits_of
from components.tasks.kinds import TASK_KINDS
from components.tokenization.trimming import trim_tokenizer
from components.training import ranks
from components.training.figures import curves_figure
from components.training.finetune import VALIDATION_BATCH, learn_task, save_classifier, task_schedule, validation_batch
from components.training.quantization_aware import quantization_aware
from components.training.randomness import derived_seed
from components.training.store import CheckpointStore
from components.training.trainer import prepare_libraries

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
) -> Metrics:
    """Train a student of `teacher`, trim its vocabulary and write it to `student`.

    Returns the validation metrics of what is written.
    """
    read_manifest(teacher, "classifier")
    prepare_libraries(config.threads)
    data = TASK_KINDS[task.kind].read(rows, task, load_tokenizer(teacher))
    guide: PreTrainedModel = load_model(AutoModelForSequenceClassification, teacher).model.eval()
    layers = map_layers(len(layers_of(guide)), config.depth_fraction)
    with tempfile.TemporaryDirectory() as folder:
        trimmed = Trimmed.of(config.min_token_count, task, data, rows, teacher, Path(folder))
        torch.manual_seed(derived_seed(seed, "student"))
        kept = missed_most(guide, data, config)
        learner = build_student(guide, layers, kept, config.dropout)
        task_objective = ClassificationObjective(len(data.labels), 0.0)
        objective = DistillationObjective(guide, layers, config, task_objective, kept.channels)
        schedule = task_schedule(data, config, f"distill {task_name}", "")
        steps = config.epochs * schedule.validate_every
        learned = quantization_aware(objective, config.quantization_aware, steps, trainer)
        curves, metrics = learn_task(learner, learned, data, config, trainer, seed, schedule, checkpoints, run)
        if not ranks.leads():
            return {}
        if trimmed.kept:
            keep_tokens(learner, trimmed.kept)
        if trimmed.kept or config.quantization_aware:
            metrics |= validate(learner, objective, trimmed.data)
        made_from = {"rows": rows, "teacher": teacher}
        save_classifier(learner, trimmed.tokenizer, student, task_name, trimmed.data, made_from)
    run.log_figure("loss.png", curves_figure({"student": curves.history}, ["loss", data.monitor]))
    return {
        **metrics,
        "agreement": agreement(guide, learner, data, trimmed.data),
        "layers": len(layers.copied),
        "vocabulary": learner.config.vocab_size,
    }


@dataclass(frozen=True)
class Trimmed:
    """What a student knows: a tokenizer's folder, the teacher's ids of its tokens, and the task in its own ids.

    Found before the training, applied after it: the teacher reads every batch too, in ids that both share. Where
    nothing is trimmed the tokenizer and the data are the teacher's, and `kept` is empty.
    """

    tokenizer: Path
    kept: list[int]
    data: Classification

    @classmethod
    def of(cls, least: int, task: TaskConfig, data: Classification, rows: Path, teacher: Path, folder: Path) -> Trimmed:
        """The tokens that occur `least` times in the training texts, in a tokenizer written to `folder`."""
        if least == 0:
            return cls(teacher, [], data)
        kind = TASK_KINDS[task.kind]
        kept = trim_tokenizer(teacher, folder, kind.training_texts(rows), data.max_length, least)
        return cls(folder, kept, kind.read(rows, task, load_tokenizer(folder)))


@dataclass(frozen=True)
class DistillationObjective:
    """Soft labels at a temperature (Hinton 2015), hidden states (Jiao 2020, TinyBERT) and hard labels.

    The teacher reads the clean text; the student may read one with hidden tokens.
    """

    teacher: PreTrainedModel
    layers: LayerMap
    config: DistillConfig
    task: ClassificationObjective
    channels: Tensor | None = None
    """Those of the teacher that the student has."""

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        mask = batch["attention_mask"]
        with torch.no_grad():
            guide = self.teacher.to(mask.device)(batch["clean_ids"], attention_mask=mask, output_hidden_states=True)
        answer = model(batch["input_ids"], attention_mask=mask, output_hidden_states=True)
        hard = cross_entropy(answer.logits.float(), batch["targets"], reduction="sum") / batch["count"]
        soft = soft_loss(answer.logits.float(), guide.logits.float(), self.config.temperature) / batch["count"]
        # hidden_states[0] is the embedding, [1] the first layer's output.
        wanted = [guide.hidden_states[index + 1] for index in self.layers.imitated]
        if self.channels is not None:
            kept = self.channels.to(mask.device, non_blocking=True)
            wanted = [states.index_select(-1, kept) for states in wanted]
        hidden = hidden_loss(answer.hidden_states[1:], wanted, mask) / batch["tokens"]
        weight = self.config.soft_weight
        return weight * soft + (1 - weight) * hard + self.config.hidden_weight * hidden

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        return self.task.score(model, batch)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        return self.task.summary(scores)


def soft_loss(logits: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """Sum over rows of the divergence from the teacher's softened answers.

    Times temperature squared, so that gradients keep their size.
    """
    student = log_softmax(logits / temperature, dim=1)
    teacher = log_softmax(wanted / temperature, dim=1)
    return kl_div(student, teacher, reduction="sum", log_target=True) * temperature**2


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


def missed_most(teacher: PreTrainedModel, data: Classification, config: DistillConfig) -> Kept:
    """The teacher's channels, neurons and heads that its answers to some training rows need most."""
    objective = ClassificationObjective(len(data.labels), 0.0)
    rows = range(0, len(data.train.ids), -(-len(data.train.ids) // IMPORTANCE_ROWS))

    def losses(model: PreTrainedModel) -> Iterator[Tensor]:
        for start in range(0, len(rows), VALIDATION_BATCH):
            batch = data.batch(data.train, rows[start : start + VALIDATION_BATCH])
            yield objective.loss(model, batch) * batch["count"]

    left = narrower(teacher.config, config.width_fraction, config.ffn_fraction, config.head_fraction)
    return most_important(teacher, losses, left)


@torch.no_grad()
def validate(model: PreTrainedModel, objective: DistillationObjective, data: Classification) -> dict[str, float]:
    """The validation metrics of a model as it is."""
    return objective.summary([objective.score(model, batch) for batch in _validation(data)])


@torch.no_grad()
def agreement(teacher: PreTrainedModel, student: PreTrainedModel, data: Classification, own: Classification) -> float:
    """Share of the validation rows that both put into the same class; `own`: the task in the student's ids."""
    answers = [
        torch.cat([logits_of(model, batch).argmax(dim=1) for batch in _validation(part)])
        for model, part in ((teacher.cpu(), data), (student, own))
    ]
    return (answers[0] == answers[1]).double().mean().item()


def _validation(data: Classification) -> Iterator[Batch]:
    return (validation_batch(data, number) for number in range(-(-len(data.validation.ids) // VALIDATION_BATCH)))
