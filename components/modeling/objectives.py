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
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from components.modeling.architectures import architecture_of

Batch = dict[str, Any]
"""Tensors by name, and `tokens`: how many input tokens the batch holds, as an int known without asking the device."""


class Objective(Protocol):
    """What a training minimises, and how it is validated."""

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """The scalar to minimise on a training batch."""

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        """What `summary` needs to know of one validation batch."""

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        """Metrics of the whole validation split, among them `validation_loss`."""


@dataclass(frozen=True)
class MaskedLanguageModeling:
    """Guess hidden tokens (Devlin 2019): of those chosen 80 % become the mask, 10 % a random token, 10 % stay.

    Only the chosen positions go through the vocabulary head: at 15 % that is most of the arithmetic saved.
    """

    vocab_size: int
    mask_id: int
    special_ids: tuple[int, ...]
    mask_probability: float

    def prepare(self, ids: Tensor, generator: torch.Generator) -> Batch:
        """Windows of ids [n, length] -> inputs, flat positions [m] of what was chosen, and their targets [m]."""
        draw = torch.rand(ids.shape, generator=generator)
        fate = torch.rand(ids.shape, generator=generator)
        noise = torch.randint(self.vocab_size, ids.shape, generator=generator)
        chosen = (draw < self.mask_probability) & ~torch.isin(ids, torch.tensor(self.special_ids))
        inputs = torch.where(chosen & (fate < 0.8), self.mask_id, ids)
        inputs = torch.where(chosen & (fate >= 0.8) & (fate < 0.9), noise, inputs)
        positions = chosen.flatten().nonzero().squeeze(1)
        return {
            "input_ids": inputs,
            "positions": positions,
            "targets": ids.flatten()[positions],
            "tokens": ids.numel(),
        }

    def losses(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        hidden = model.base_model(input_ids=batch["input_ids"]).last_hidden_state
        chosen = hidden.flatten(0, 1).index_select(0, batch["positions"])
        logits = architecture_of(model.config).vocabulary_logits(model, chosen)
        return cross_entropy(logits.float(), batch["targets"], reduction="none")

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        # A window may hold nothing that could be masked: no target, no gradient, no nan.
        return self.losses(model, batch).sum() / max(len(batch["targets"]), 1)

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        return (self.losses(model, batch),)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        return perplexity(torch.cat([losses for (losses,) in scores]))


@dataclass(frozen=True)
class CausalLanguageModeling:
    """Guess every next token (Radford 2018)."""

    def prepare(self, ids: Tensor, generator: torch.Generator) -> Batch:
        """Windows of ids [n, length]; nothing here is random."""
        return {"input_ids": ids, "tokens": ids.numel()}

    def losses(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        hidden = model.base_model(input_ids=batch["input_ids"], use_cache=False).last_hidden_state[:, :-1]
        logits = architecture_of(model.config).vocabulary_logits(model, hidden.flatten(0, 1))
        return cross_entropy(logits.float(), batch["input_ids"][:, 1:].flatten(), reduction="none")

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        return self.losses(model, batch).mean()

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        return (self.losses(model, batch),)

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
