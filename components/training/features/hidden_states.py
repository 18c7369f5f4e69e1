"""The outputs of layers: each of a student's is to give that of one of its teacher's (Jiao 2020, TinyBERT)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import layer_norm
from transformers import PreTrainedModel

from components.modeling.objectives.objective import Batch
from components.tasks.task import NO_TARGET
from components.training.features.feature import Features, Imitated
from components.training.task_outputs import one_by_one

if TYPE_CHECKING:
    from components.training.config import FeaturesConfig


def build(
    config: FeaturesConfig, teacher: PreTrainedModel, student: PreTrainedModel, imitated: Imitated
) -> HiddenStates:
    """Of the layers, and the channels, that `imitated` names."""
    return HiddenStates(imitated)


@dataclass(frozen=True)
class HiddenStates(Features):
    """Of an encoder-decoder those of either half."""

    imitated: Imitated

    def read(self, model: PreTrainedModel, ids: Tensor, beside: dict[str, Any]) -> tuple[Any, Any]:
        output = model(ids, **beside, output_hidden_states=True)
        return output, output

    def loss(self, mine: Any, its: Any, batch: Batch) -> Tensor:
        total = torch.zeros((), device=batch["attention_mask"].device)
        first = 0
        for (states, mask, count), (whole, _, _) in zip(stacks_of(mine, batch), stacks_of(its, batch), strict=True):
            wanted = [whole[index - first] for index in self.imitated.layers if 0 <= index - first < len(whole)]
            if self.imitated.channels is not None:
                kept = self.imitated.channels.to(mask.device, non_blocking=True)
                wanted = [one.index_select(-1, kept) for one in wanted]
            total = total + hidden_loss(states, wanted, mask) / count
            first += len(whole)
        return total


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
