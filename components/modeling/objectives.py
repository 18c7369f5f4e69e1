"""What a language model learns from unlabelled text: the table of pretraining objectives.

An objective turns windows of token ids into a batch (on the CPU, from a generator of its own, so the step alone
decides what is masked), a batch into a loss, and the losses of the validation batches into metrics.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from components.modeling.architectures import architecture_of, head_of
from components.modeling.cross_entropy import chunked_cross_entropy, row_losses

Batch = dict[str, Any]
"""A part of a step's global batch: tensors by name, and two ints known without asking the device.

`tokens`: input tokens of the whole global batch. `count`: what its losses are summed over, likewise: a part's loss is
a sum divided by it, so the parts' losses add up to the same number however the batch was divided.
"""

WHOLE = slice(None)
"""All rows of a batch: what is not divided."""


class Objective(Protocol):
    """What a training minimises, and how it is validated."""

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """The part's share of the scalar to minimise: its sum over `batch["count"]`."""

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        """What `summary` needs to know of one validation batch."""

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        """Metrics of the whole validation split, among them `validation_loss`."""


@dataclass(frozen=True)
class MaskedLanguageModeling:
    """Guess hidden tokens (Devlin 2019): of those chosen 80 % become the mask, 10 % a random token, 10 % stay.

    Only the chosen positions go through the vocabulary head: at 15 % that is most of its arithmetic saved.
    """

    vocab_size: int
    mask_id: int
    special_ids: tuple[int, ...]
    mask_probability: float

    def prepare(self, ids: Tensor, generator: torch.Generator, rows: slice) -> Batch:
        """Windows of ids [n, length] -> of these rows inputs, flat positions [m] of the chosen, targets [m]."""
        draw = torch.rand(ids.shape, generator=generator)
        fate = torch.rand(ids.shape, generator=generator)
        noise = torch.randint(self.vocab_size, ids.shape, generator=generator)
        chosen = (draw < self.mask_probability) & ~torch.isin(ids, torch.tensor(self.special_ids))
        inputs = torch.where(chosen & (fate < 0.8), self.mask_id, ids)
        inputs = torch.where(chosen & (fate >= 0.8) & (fate < 0.9), noise, inputs)
        positions = chosen[rows].flatten().nonzero().squeeze(1)
        return {
            "input_ids": inputs[rows],
            "positions": positions,
            "targets": ids[rows].flatten()[positions],
            # A window may hold nothing that could be masked: no target, no gradient, no nan.
            "count": max(int(chosen.sum()), 1),
            "tokens": ids.numel(),
        }

    def chosen_states(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """What the vocabulary head reads [m, width], of the chosen positions."""
        hidden = model.base_model(input_ids=batch["input_ids"]).last_hidden_state
        chosen = hidden.flatten(0, 1).index_select(0, batch["positions"])
        return architecture_of(model.config).before_head(model, chosen)

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        states = self.chosen_states(model, batch)
        return chunked_cross_entropy(states, head_of(model), batch["targets"]) / batch["count"]

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        return (row_losses(self.chosen_states(model, batch), head_of(model), batch["targets"]),)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        return perplexity(torch.cat([losses for (losses,) in scores]))


@dataclass(frozen=True)
class CausalLanguageModeling:
    """Guess every next token (Radford 2018)."""

    def prepare(self, ids: Tensor, generator: torch.Generator, rows: slice) -> Batch:
        """Windows of ids [n, length]; nothing here is random."""
        predicted = ids.shape[0] * (ids.shape[1] - 1)
        return {"input_ids": ids[rows], "count": predicted, "tokens": ids.numel()}

    def states(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the vocabulary head reads [m, width], of every position with a next token, and those tokens [m]."""
        hidden = model.base_model(input_ids=batch["input_ids"], use_cache=False).last_hidden_state[:, :-1]
        read = architecture_of(model.config).before_head(model, hidden.flatten(0, 1))
        return read, batch["input_ids"][:, 1:].flatten()

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        states, targets = self.states(model, batch)
        return chunked_cross_entropy(states, head_of(model), targets) / batch["count"]

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        states, targets = self.states(model, batch)
        return (row_losses(states, head_of(model), targets),)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        return perplexity(torch.cat([losses for (losses,) in scores]))


LanguageObjective = MaskedLanguageModeling | CausalLanguageModeling


def masked(tokenizer: PreTrainedTokenizerBase, mask_probability: float) -> LanguageObjective:
    """Masked language modelling over a tokenizer's vocabulary."""
    return MaskedLanguageModeling(
        len(tokenizer), int(tokenizer.mask_token_id), tuple(tokenizer.all_special_ids), mask_probability
    )


def causal(tokenizer: PreTrainedTokenizerBase, mask_probability: float) -> LanguageObjective:
    """Causal language modelling; nothing is masked."""
    return CausalLanguageModeling()


OBJECTIVES: dict[str, Callable[[PreTrainedTokenizerBase, float], LanguageObjective]] = {"mlm": masked, "clm": causal}


def perplexity(losses: Tensor) -> dict[str, float]:
    """Mean negative log-likelihood in nats a token, and its exponential."""
    loss = losses.double().mean().item() if len(losses) else 0.0
    return {"validation_loss": loss, "validation_perplexity": math.exp(min(loss, 700.0))}
