"""Permutation language modelling (Yang 2019, XLNet)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from components.modeling.architectures import architecture_of, head_of
from components.modeling.config import PermutationConfig
from components.modeling.cross_entropy import chunked_cross_entropy, row_losses
from components.modeling.objectives.objective import Batch, Cost, PretrainingObjective, perplexity, starts

LANGUAGE_MODEL = "permutation_lm"

CONTEXT = -1
"""The place in the order of a token that is not predicted: before all that are."""


def build(
    tokenizer: PreTrainedTokenizerBase, config: PermutationConfig, document_attention: bool
) -> PermutationLanguageModeling:
    """Over a tokenizer's vocabulary."""
    end = int(tokenizer.sep_token_id) if document_attention else None
    return PermutationLanguageModeling(
        tuple(tokenizer.all_special_ids), config.predicted_share, config.max_span_length, end
    )


@dataclass(frozen=True)
class PermutationLanguageModeling(PretrainingObjective):
    """Guess tokens one after another in a random order, each from all that are not guessed and those before it.

    Partial prediction: the tokens at the end of the order are guessed, the others are context. They are spans of up to
    `max_span_length` tokens, each in a stretch that is 1 / `predicted_share` times as long. A query stream carries
    the places that are guessed and never sees their tokens (two-stream attention). The recurrence between windows is
    left out: windows come in random order here.
    """

    special_ids: tuple[int, ...]
    predicted_share: float
    max_span_length: int
    document_end: int | None = None

    def attach(self, model: PreTrainedModel) -> None:
        """Windows have no segments: what tells these apart in XLNet's attention has nothing to learn."""
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(not name.endswith((".seg_embed", ".r_s_bias")))

    def cost(self, windows: int, length: int) -> Cost:
        """Special tokens, which are never guessed, are counted as any other."""
        return Cost(windows, length, round(windows * length * self.predicted_share))

    def prepare(self, ids: Tensor, generator: torch.Generator, rows: slice) -> Batch:
        """Windows of ids [n, length] -> of these rows ids, `order` [n, length] in which their tokens are guessed,
        `places` [n, most] of those that are, padded with -1, and `targets` [m] of the places that are none of it."""
        chosen = self.spans(ids.shape, generator) & ~torch.isin(ids, torch.tensor(self.special_ids))
        drawn = torch.rand(ids.shape, generator=generator).argsort(dim=1).argsort(dim=1)
        order = torch.where(chosen, drawn, CONTEXT)[rows]
        here = chosen[rows]
        most = max(int(here.sum(dim=1).max()), 1) if len(here) else 1
        first = (~here).long().argsort(dim=1, stable=True)[:, :most]
        places = torch.where(here.gather(1, first), first, -1)
        return {
            "input_ids": ids[rows],
            "order": order,
            "places": places,
            "targets": ids[rows].gather(1, first)[places >= 0],
            "count": max(int(chosen.sum()), 1),
            "tokens": ids.numel(),
            **starts(ids[rows], self.document_end),
        }

    def spans(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        """Which tokens of windows [n, length] are in a span that is to be guessed."""
        windows, length = shape
        most = length  # spans: each stretch has a token at least
        lengths = torch.randint(1, self.max_span_length + 1, (windows, most), generator=generator)
        stretches = (lengths / self.predicted_share).round().long()
        begins = stretches.cumsum(dim=1) - stretches
        begins += (torch.rand((windows, most), generator=generator) * (stretches - lengths + 1)).long()
        # +1 where a span begins, -1 behind its end: their running sum is 1 inside.
        edges = torch.zeros(windows, length + 1, dtype=torch.long)
        edges.scatter_add_(1, begins.clamp(max=length), torch.ones_like(begins))
        edges.scatter_add_(1, (begins + lengths).clamp(max=length), -torch.ones_like(begins))
        return edges.cumsum(dim=1)[:, :length] > 0

    def states(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """What the vocabulary head reads [m, width], of every token that is guessed."""
        ids, order, places = batch["input_ids"], batch["order"], batch["places"]
        # 1: the token of the row does not see that of the column.
        unseen = (order[:, :, None] <= order[:, None, :]) & (order != CONTEXT)[:, None, :]
        if "starts" in batch:
            unseen |= batch["starts"][:, :, None] != batch["starts"][:, None, :]
        guessed = (torch.arange(ids.shape[1], device=ids.device) == places[:, :, None]).float()
        read = model.base_model(input_ids=ids, perm_mask=unseen.float(), target_mapping=guessed, use_mems=False)
        states: Tensor = read.last_hidden_state[places >= 0]
        return architecture_of(model.config).before_head(model, states)

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        return chunked_cross_entropy(self.states(model, batch), head_of(model), batch["targets"]) / batch["count"]

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        return (row_losses(self.states(model, batch), head_of(model), batch["targets"]),)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        return perplexity(torch.cat([losses for (losses,) in scores]))
