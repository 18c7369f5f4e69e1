"""Model types of transformers that are trained here: a file an architecture, `components.modeling.kinds` names them.

Most can be made with random weights, each with one dial: `depth` layers, 64 x depth wide, a head per 64, of an
encoder-decoder so many in either half; the others come as checkpoints.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, cast

from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from components.errors import ArtifactError, ParameterError
from components.modeling.architectures.architecture import Architecture, Vocabulary
from components.modeling.config import ModelConfig
from components.modeling.kinds import ARCHITECTURES
from components.modeling.loading import random_model

ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop")
"""What the configs of checkpoints call a dropout of attention weights."""

LANGUAGE_MODELS: dict[str, Any] = {
    "masked_lm": AutoModelForMaskedLM,
    "causal_lm": AutoModelForCausalLM,
    # Of XLNet, which transformers counts among those.
    "permutation_lm": AutoModelForCausalLM,
    "seq2seq_lm": AutoModelForSeq2SeqLM,
}

RELATIVE_POSITIONS = 512
"""Tokens that a model reads at most whose positions are relative and whose config names no limit, as T5's: what the
published ones were trained on."""


def architecture(name: str) -> Architecture:
    """What architectures/NAME.py says."""
    return cast(Architecture, import_module(f"components.modeling.architectures.{name}").ARCHITECTURE)


def architecture_name(config: PreTrainedConfig) -> str:
    """The name that a checkpoint's model type has as a file: transformers calls its modules so too."""
    return str(config.model_type).replace("-", "_")


def architecture_of(config: PreTrainedConfig) -> Architecture:
    """The architecture of a checkpoint's model type. Raises ArtifactError for one that has no file."""
    if architecture_name(config) not in ARCHITECTURES:
        raise ArtifactError(
            f"a checkpoint of the architecture {config.model_type} cannot be trained here",
            f"known: {', '.join(ARCHITECTURES)}",
        )
    return architecture(architecture_name(config))


def positions_of(config: PreTrainedConfig) -> int:
    """The tokens that a model reads at most; sys.maxsize where its positions are relative."""
    known = getattr(config, "max_position_embeddings", None) or RELATIVE_POSITIONS
    if known < 0:  # XLNet's
        return sys.maxsize
    return int(known) - architecture_of(config).first_position(config)


def build_language_model(
    model: ModelConfig, tokenizer: PreTrainedTokenizerBase, sequence_length: int
) -> PreTrainedModel:
    """A language model with random weights from torch's global generator."""
    if sequence_length > model.max_length:
        raise ParameterError(
            f"pretrain.sequence_length {sequence_length} is longer than model.max_length {model.max_length}",
            "raise model.max_length or lower pretrain.sequence_length",
        )
    entry = architecture(model.architecture)
    assert entry.config is not None  # params.py allows no other without a checkpoint
    return random_model(LANGUAGE_MODELS[entry.language_model], entry.config(model, vocabulary_of(tokenizer)))


def blank_model(model: ModelConfig) -> PreTrainedModel:
    """A language model with random weights and a vocabulary of nothing but special tokens: what its layers are like."""
    entry = architecture(model.architecture)
    assert entry.config is not None  # params.py allows no other without a checkpoint
    special = ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id")
    vocabulary = {"vocab_size": len(special), **{name: number for number, name in enumerate(special)}}
    return random_model(LANGUAGE_MODELS[entry.language_model], entry.config(model, vocabulary))


def vocabulary_of(tokenizer: PreTrainedTokenizerBase) -> Vocabulary:
    """What a config has to know of a tokenizer."""
    return {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "cls_token_id": tokenizer.cls_token_id,
        "sep_token_id": tokenizer.sep_token_id,
    }


def layers_of(model: PreTrainedModel) -> nn.ModuleList:
    """The list of transformer layers of a model, whatever head it carries; the encoder's, then the decoder's."""
    entry = architecture_of(model.config)
    layers = cast(nn.ModuleList, model.base_model.get_submodule(entry.layers))
    if entry.decoder is None:
        return layers
    return nn.ModuleList([*layers, *cast(nn.ModuleList, model.base_model.get_submodule(entry.decoder.layers))])


def head_of(model: PreTrainedModel) -> nn.Linear:
    """The linear layer that gives a language model's logits over the vocabulary."""
    return cast(nn.Linear, model.get_submodule(architecture_of(model.config).head))
