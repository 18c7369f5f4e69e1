"""Masked language modelling and sentence order prediction (Lan 2020, ALBERT)."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from components.modeling.config import MaskedConfig
from components.modeling.objectives.pairs import SentencePairs, Span, pair_arguments

LANGUAGE_MODEL = "masked_lm"


def build(
    tokenizer: PreTrainedTokenizerBase, config: MaskedConfig, document_attention: bool
) -> SentenceOrderPrediction:
    """Over a tokenizer's vocabulary."""
    return SentenceOrderPrediction(*pair_arguments(tokenizer, config))


class SentenceOrderPrediction(SentencePairs):
    """Half of the pairs are swapped. The topic, by which a stranger is told, is the same in both."""

    metric = "sentence_order"

    def paired(self, left: Span, right: Span, generator: torch.Generator) -> tuple[Span, Span, Tensor]:
        swapped = torch.rand(len(left[0]), generator=generator) < 0.5
        column = swapped[:, None]
        first = (torch.where(column, right[0], left[0]), torch.where(column, right[1], left[1]))
        second = (torch.where(column, left[0], right[0]), torch.where(column, left[1], right[1]))
        return first, second, swapped.long()
