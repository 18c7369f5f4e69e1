"""Causal language modelling (Radford 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from components.modeling.architectures import architecture_of, head_of
from components.modeling.config import ObjectiveConfig
from components.modeling.cross_entropy import chunked_cross_entropy, row_losses
from components.modeling.objectives.objective import (
    Batch,
    Cost,
    PretrainingObjective,
    documents_apart,
    perplexity,
    starts,
)

LANGUAGE_MODEL = "causal_lm"


def build(
    tokenizer: PreTrainedTokenizerBase, config: ObjectiveConfig, document_attention: bool
) -> CausalLanguageModeling:
    """Causal language modelling; nothing is masked."""
    return CausalLanguageModeling(int(tokenizer.sep_token_id) if document_attention else None)


@dataclass(frozen=True)
class CausalLanguageModeling(PretrainingObjective):
    """Guess every next token (Radford 2018).

    `document_end`: as for masked tokens. What comes behind it is the beginning of another document, and not guessed.
    """

    document_end: int | None = None

    def cost(self, windows: int, length: int) -> Cost:
        """Of so many windows of this length; all but the last token of each have a next one."""
        return Cost(windows, length, windows * (length - 1))

    def prepare(self, ids: Tensor, generator: torch.Generator, rows: slice) -> Batch:
        """Windows of ids [n, length] -> of these rows ids, flat positions [m] with a next token, and those tokens [m].

        Nothing here is random.
        """
        followed = torch.ones_like(ids, dtype=torch.bool) if self.document_end is None else ids != self.document_end
        followed[:, -1] = False
        positions = followed[rows].flatten().nonzero().squeeze(1)
        return {
            "input_ids": ids[rows],
            "positions": positions,
            "targets": ids[rows].flatten()[positions + 1],
            "count": max(int(followed.sum()), 1),
            "tokens": ids.numel(),
            **starts(ids[rows], self.document_end),
        }

    def states(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """What the vocabulary head reads [m, width], of every position with a next token."""
        apart = documents_apart(model, batch, causal=True)
        hidden = model.base_model(input_ids=batch["input_ids"], use_cache=False, **apart).last_hidden_state
        return architecture_of(model.config).before_head(
            model, hidden.flatten(0, 1).index_select(0, batch["positions"])
        )

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        states = self.states(model, batch)
        return chunked_cross_entropy(states, head_of(model), batch["targets"]) / batch["count"]

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        return (row_losses(self.states(model, batch), head_of(model), batch["targets"]),)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        return perplexity(torch.cat([losses for (losses,) in scores]))
