"""What a task's model ends in: a head's name, as kinds of task give it -> the loader of transformers that adds it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedConfig,
)

from components.errors import ParameterError
from components.modeling.architectures import architecture, architecture_name, architecture_of
from components.modeling.kinds import ARCHITECTURES, CANNOT, CARRIES_ON, GENERATES, WRITES
from components.modeling.text_embedding import AutoModelForTextEmbedding

HEADS: dict[str, Any] = {
    "choices": AutoModelForSequenceClassification,  # a score a pair of text and choice
    "embedding": AutoModelForTextEmbedding,
    "sequence": AutoModelForSequenceClassification,
    "spans": AutoModelForTokenClassification,  # of each token whether an answer begins, and ends, there
    "tokens": AutoModelForTokenClassification,
    CARRIES_ON: AutoModelForCausalLM,
    WRITES: AutoModelForSeq2SeqLM,
}


def auto_model(head: str, config: PreTrainedConfig) -> Any:
    """The loader of models of this architecture with this head. Raises ParameterError where it cannot carry it.

    Encoders and decoders carry the heads that read a text alike; what reads in both directions cannot generate, and an
    encoder-decoder does nothing else.
    """
    own = architecture_of(config).language_model
    if (head in GENERATES or own == WRITES) and head != own:
        able = [name for name in ARCHITECTURES if _carries(architecture(name).language_model, head)]
        raise ParameterError(
            f"model.architecture: {architecture_name(config)} cannot {CANNOT.get(head, 'label texts')}; "
            f"{', '.join(able)} can",
            "choose one of them, or another kind of task",
        )
    return HEADS[head]


def _carries(language_model: str, head: str) -> bool:
    return language_model == head if head in GENERATES else language_model != WRITES


def decoder_input_ids(config: PreTrainedConfig, targets: Tensor) -> Tensor:
    """What the decoder of an encoder-decoder reads to write `targets` [n, length]: each a place later, behind the token
    that an answer begins with. Negative targets, which are no tokens, are read as padding."""
    start = torch.full_like(targets[:, :1], int(config.decoder_start_token_id))
    before = torch.cat([start, targets[:, :-1]], dim=1)
    return before.masked_fill(before < 0, int(config.pad_token_id))
