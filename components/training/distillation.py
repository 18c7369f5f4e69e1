"""What a student minimises: how far it is from its teacher's answers, its teacher's layers, and the labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, kl_div, log_softmax
from transformers import PreTrainedModel

from components.modeling.objectives.objective import Batch
from components.tasks.task import NO_TARGET
from components.training.config import DistillConfig
from components.training.features.feature import Features
from components.training.task_objective import TaskObjective
from components.training.task_outputs import beside_ids, by_choice, one_by_one
from components.training.word_counts import WordCounts


@dataclass(frozen=True)
class DistillationObjective:
    """Soft labels at a temperature (Hinton 2015), features of the layers, and hard labels.

    The teacher reads the clean text; the student may read one with hidden tokens.
    """

    teacher: PreTrainedModel
    features: Features
    config: DistillConfig
    task: TaskObjective
    counts: WordCounts | None = None
    """The second teacher."""

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        with torch.no_grad():
            teacher = self.teacher.to(batch["attention_mask"].device)
            clean = one_by_one(batch["clean_ids"], batch)
            guide, wanted = self.features.read(teacher, clean, beside_ids(teacher, batch))
        answer, found = self.features.read(model, one_by_one(batch["input_ids"], batch), beside_ids(model, batch))
        logits = by_choice(answer[0], batch)
        hard = self.task.total(logits, batch) / batch["count"]
        own, answers = logits.float(), by_choice(guide[0], batch).float()
        temperature = self.config.temperature
        if self.counts is not None:
            answers = self.counts.mixed(answers, batch["word_counts"], temperature)
        if self.task.task.output.per_token:
            counted = (batch["targets"] != NO_TARGET)[..., None]
            # Where both are 0 they do not differ. Taking the others out would make the GPU wait for their number.
            own, answers = own.where(counted, 0), answers.where(counted, 0)
        soft = SOFT_LOSSES[self.task.task.output.kind](own, answers, temperature) / batch["count"]
        weight, features = self.config.soft_weight, self.features.loss(found, wanted, batch)
        return weight * soft + (1 - weight) * hard + self.config.features.weight * features

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        return self.task.score(model, batch)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        return self.task.summary(scores)


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
    """Sum over rows and labels of the divergence from the teacher's softened probability of each label.

    The cross-entropy less the teacher's own entropy, so that a student that answers as its teacher has a loss of 0.
    """
    soft = (wanted / temperature).sigmoid()
    cross = binary_cross_entropy_with_logits(logits / temperature, soft, reduction="sum")
    own = binary_cross_entropy_with_logits(wanted / temperature, soft, reduction="sum")
    return (cross - own) * temperature**2


SOFT_LOSSES: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "categorical": divergence,
    "binary": binary_divergence,
    "real": squared_difference,
}
"""What a student's outputs are wrong by where a teacher's are right, by the kind of output."""
