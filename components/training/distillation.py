"""What a student minimises: how far it is from its teacher's answers, its teacher's hidden states, and the labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, kl_div, layer_norm, log_softmax
from transformers import PreTrainedModel

from components.modeling.objectives.objective import Batch
from components.modeling.students import LayerMap
from components.tasks.task import NO_TARGET
from components.training.config import DistillConfig
from components.training.task_data import TaskObjective, beside_ids, by_choice, one_by_one
from components.training.word_counts import WordCounts


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
