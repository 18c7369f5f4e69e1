"""What several architectures have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from torch import Tensor
from torch.nn.functional import gelu
from transformers import PreTrainedConfig

from components.modeling.architectures.architecture import (
    Architecture,
    DecoderStack,
    PrunableUnits,
    Vocabulary,
    slices_of,
)
from components.modeling.config import HEAD_DIM, ModelConfig

FIRST_TOKEN, LAST_TOKEN = "the first token", "the last token"

SENTINELS = 100
"""Spans of a text that can be told apart (Raffel 2020)."""
FIRST_SENTINEL = "<extra_id_0>"
"""The first as T5's own tokenizers call it."""

BERT_NEURONS = PrunableUnits(
    "intermediate_size", "output.dense", {**slices_of("intermediate.dense", 0), "output.dense.weight": (1, 1)}
)
BERT_HEADS = PrunableUnits(
    "num_attention_heads",
    "attention.output.dense",
    {
        **slices_of("attention.self.query attention.self.key attention.self.value", 0),
        "attention.output.dense.weight": (1, 1),
    },
)
GATED_NEURONS = PrunableUnits(
    "intermediate_size", "mlp.down_proj", {**slices_of("mlp.gate_proj mlp.up_proj", 0), "mlp.down_proj.weight": (1, 1)}
)
PROJECTED_HEADS = PrunableUnits(
    "num_attention_heads",
    "self_attn.o_proj",
    {**slices_of("self_attn.q_proj self_attn.k_proj self_attn.v_proj", 0), "self_attn.o_proj.weight": (1, 1)},
)


def bert_shape(model: ModelConfig) -> dict[str, Any]:
    """Sizes under the names of BERT's config; without dropout, which fine-tuning sets."""
    width = width_of(model)
    return {
        "num_hidden_layers": model.depth,
        "hidden_size": width,
        "num_attention_heads": width // HEAD_DIM,
        "intermediate_size": 4 * width,
        "max_position_embeddings": model.max_length,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }


def llama_shape(model: ModelConfig) -> dict[str, Any]:
    """Sizes under the names of LLaMA's config; input and output embeddings are one matrix."""
    width = width_of(model)
    return {
        "num_hidden_layers": model.depth,
        "hidden_size": width,
        "num_attention_heads": width // HEAD_DIM,
        "num_key_value_heads": width // HEAD_DIM,
        "intermediate_size": gated_width(width),
        "max_position_embeddings": model.max_length,
        "tie_word_embeddings": True,
    }


def llama_like(config: Callable[[ModelConfig, Vocabulary], PreTrainedConfig] | None = None) -> Architecture:
    """Pre-RMSNorm, rotary, gated decoders; their heads need not fill the width."""
    return Architecture(
        language_model="causal_lm",
        layers="layers",
        before_head=unchanged,
        head="lm_head",
        dropouts=(),
        pooling=LAST_TOKEN,
        neurons=GATED_NEURONS,
        heads=PROJECTED_HEADS,
        config=config,
        independent_heads=True,
    )


def roberta_like(config: Callable[[ModelConfig, Vocabulary], PreTrainedConfig] | None = None) -> Architecture:
    """BERT's layers under RoBERTa's head; positions count from behind that of padding."""
    return Architecture(
        language_model="masked_lm",
        layers="encoder.layer",
        before_head=lm_head,
        head="lm_head.decoder",
        dropouts=("hidden_dropout_prob", "classifier_dropout"),
        pooling=FIRST_TOKEN,
        neurons=BERT_NEURONS,
        heads=BERT_HEADS,
        config=config,
        first_position=lambda config: int(config.pad_token_id or 0) + 1,
    )


def encoder_decoder(
    layers: str,
    decoder: DecoderStack,
    dropout: str,
    config: Callable[[ModelConfig, Vocabulary], PreTrainedConfig],
    before_head: Callable[[Any, Tensor], Tensor] | None = None,
    own_attention: bool = False,
) -> Architecture:
    """Those that read a text and write another; they are made smaller by layers alone."""
    return Architecture(
        language_model="seq2seq_lm",
        layers=layers,
        decoder=decoder,
        before_head=before_head or unchanged,
        head="lm_head",
        dropouts=(dropout,),
        pooling=LAST_TOKEN,
        neurons=None,
        heads=None,
        config=config,
        own_attention=own_attention,
    )


def unchanged(model: Any, hidden: Tensor) -> Tensor:
    """A head that is its linear layer alone."""
    return hidden


def lm_head(model: Any, hidden: Tensor) -> Tensor:
    """What RoBERTa's and MPNet's head does before its last layer."""
    head = model.lm_head
    return cast(Tensor, head.layer_norm(gelu(head.dense(hidden))))


def with_sentinels(vocabulary: Vocabulary) -> Vocabulary:
    """A vocabulary with the rows behind its tokens that span corruption marks the spans by, as T5's has."""
    return vocabulary | {"vocab_size": vocabulary["vocab_size"] + SENTINELS}


def width_of(model: ModelConfig) -> int:
    """Numbers a token is between the layers, HEAD_DIM of them to an attention head."""
    return model.width or HEAD_DIM * model.depth


def gated_width(width: int) -> int:
    """Width of a gated feed-forward block that has the weights of a plain one four times wider."""
    return round(width * 8 / 3 / 64) * 64
