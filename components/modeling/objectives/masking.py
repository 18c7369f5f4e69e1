"""Hidden tokens to guess: what several objectives have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from components.modeling.architectures import architecture_of, head_of
from components.modeling.config import MaskedConfig
from components.modeling.cross_entropy import chunked_cross_entropy, row_losses
from components.modeling.objectives.objective import (
    Batch,
    Cost,
    PretrainingObjective,
    documents_apart,
    perplexity,
    starts,
)


@dataclass(frozen=True)
class MaskedLanguageModeling(PretrainingObjective):
    """Guess hidden tokens (Devlin 2019): of those chosen 80 % become the mask, 10 % a random token, 10 % stay.

    Only the chosen positions go through the vocabulary head: at 15 % that is most of its arithmetic saved.
    `document_end`: the token behind which another document begins, unread by the one before; None: all is one text.
    """

    vocab_size: int
    mask_id: int
    special_ids: tuple[int, ...]
    mask_probability: float
    document_end: int | None = None

    def cost(self, windows: int, length: int) -> Cost:
        """Of so many windows of this length; special tokens, which are never chosen, are counted as any other."""
        return Cost(windows, length, round(windows * length * self.mask_probability))

    def prepare(self, ids: Tensor, generator: torch.Generator, rows: slice) -> Batch:
        """Windows of ids [n, length] -> of these rows inputs, flat positions [m] of the chosen, targets [m]."""
        draw, fate, noise = self.draws(ids, generator)
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
            **starts(ids[rows], self.document_end),
        }

    def draws(self, ids: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Uniform numbers that decide which tokens are chosen and what becomes of each, and random tokens, all
        [n, length]."""
        draw = torch.rand(ids.shape, generator=generator)
        fate = torch.rand(ids.shape, generator=generator)
        return draw, fate, torch.randint(self.vocab_size, ids.shape, generator=generator)

    def hidden(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """Last hidden states [n, length, width]."""
        apart = documents_apart(model, batch, causal=False)
        states: Tensor = model.base_model(input_ids=batch["input_ids"], **apart).last_hidden_state
        return states

    def chosen(self, model: PreTrainedModel, hidden: Tensor, batch: Batch) -> Tensor:
        """What the vocabulary head reads [m, width], of the chosen positions."""
        chosen = hidden.flatten(0, 1).index_select(0, batch["positions"])
        return architecture_of(model.config).before_head(model, chosen)

    def loss_of(self, model: PreTrainedModel, hidden: Tensor, batch: Batch) -> Tensor:
        """The part's share of the loss, from its hidden states."""
        states = self.chosen(model, hidden, batch)
        return chunked_cross_entropy(states, head_of(model), batch["targets"]) / batch["count"]

    def losses_of(self, model: PreTrainedModel, hidden: Tensor, batch: Batch) -> Tensor:
        """Nats [m] of the targets, without gradients."""
        return row_losses(self.chosen(model, hidden, batch), head_of(model), batch["targets"])

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        return self.loss_of(model, self.hidden(model, batch), batch)

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        return (self.losses_of(model, self.hidden(model, batch), batch),)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        return perplexity(torch.cat([losses for (losses,) in scores]))


def masked(
    tokenizer: PreTrainedTokenizerBase, config: MaskedConfig, document_attention: bool
) -> MaskedLanguageModeling:
    """Masked language modelling over a tokenizer's vocabulary."""
    return MaskedLanguageModeling(
        len(tokenizer),
        int(tokenizer.mask_token_id),
        tuple(tokenizer.all_special_ids),
        config.mask_probability,
        int(tokenizer.sep_token_id) if document_attention else None,
    )
