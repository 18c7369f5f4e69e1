"""Masked language modelling and next sentence prediction (Devlin 2019, BERT)."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from components.modeling.config import MaskedConfig
from components.modeling.objectives.pairs import SentencePairs, Span, pair_arguments

LANGUAGE_MODEL = "masked_lm"


def build(tokenizer: PreTrainedTokenizerBase, config: MaskedConfig, document_attention: bool) -> NextSentencePrediction:
    """Over a tokenizer's vocabulary."""
    return NextSentencePrediction(*pair_arguments(tokenizer, config))


class NextSentencePrediction(SentencePairs):
    """Half of the second segments are of another window; a batch of one window has no other, and all follow."""

    metric = "next_sentence"

    def paired(self, left: Span, right: Span, generator: torch.Generator) -> tuple[Span, Span, Tensor]:
        count = len(left[0])
        other = torch.rand(count, generator=generator) < 0.5
        away = 1 + torch.randint(max(count - 1, 1), (count,), generator=generator)
        place = torch.arange(count)
        shown = torch.where(other, (place + away) % count, place)
        return left, (right[0][shown], right[1][shown]), (shown != place).long()
