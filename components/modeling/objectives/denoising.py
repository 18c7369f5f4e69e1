"""An encoder-decoder reads a damaged text and writes what was there: what T5's and BART's objectives have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from components.errors import ParameterError
from components.modeling.architectures import architecture_of, head_of
from components.modeling.cross_entropy import chunked_cross_entropy, row_losses
from components.modeling.heads import decoder_input_ids
from components.modeling.objectives.objective import Batch, PretrainingObjective, perplexity


@dataclass(frozen=True)
class Denoising(PretrainingObjective):
    """`noise_density`: share of the tokens in hidden spans; `mean_span_length`: their mean number in one; `end_id`: of
    the token that ends a text."""

    noise_density: float
    mean_span_length: float
    end_id: int

    @abstractmethod
    def damaged(self, ids: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Windows of ids [n, length] -> what is read and its mask [n, some], and what is to be written [n, some]."""

    def prepare(self, ids: Tensor, generator: torch.Generator, rows: slice) -> Batch:
        """Windows of ids [n, length] -> of these rows inputs, their mask, and targets."""
        inputs, mask, targets = self.damaged(ids, generator)
        return {
            "input_ids": inputs[rows],
            "attention_mask": mask[rows],
            "targets": targets[rows],
            "count": targets.numel(),
            "tokens": int(mask.sum()) + targets.numel(),
        }

    def states(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """What the vocabulary head reads [targets, width]."""
        mask, halves = batch["attention_mask"], cast(Any, model)
        read = halves.get_encoder()(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
        written = halves.get_decoder()(
            input_ids=decoder_input_ids(model.config, batch["targets"]),
            encoder_hidden_states=read,
            encoder_attention_mask=mask,
            use_cache=False,
        ).last_hidden_state
        return architecture_of(model.config).before_head(model, written.flatten(0, 1))

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        states = self.states(model, batch)
        return chunked_cross_entropy(states, head_of(model), batch["targets"].flatten()) / batch["count"]

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        return (row_losses(self.states(model, batch), head_of(model), batch["targets"].flatten()),)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        return perplexity(torch.cat([losses for (losses,) in scores]))


def end_of(tokenizer: PreTrainedTokenizerBase, name: str, document_attention: bool) -> int:
    """The token that ends a text. Raises ParameterError where documents should be kept apart."""
    check_windows(name, document_attention)
    return int(tokenizer.sep_token_id)


def check_windows(name: str, document_attention: bool) -> None:
    """Raise ParameterError where documents should be kept apart."""
    if document_attention:
        raise ParameterError(
            f"pretrain.document_attention: {name} reads a window as one text",
            "set it to false",
        )
