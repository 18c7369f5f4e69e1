"""T5: pre-RMSNorm encoder-decoder with relative positions (Raffel 2020)."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor
from transformers import T5Config

from components.modeling.architectures.architecture import DecoderStack, Vocabulary
from components.modeling.architectures.families import encoder_decoder, width_of, with_sentinels
from components.modeling.config import HEAD_DIM, ModelConfig


def config(model: ModelConfig, vocabulary: Vocabulary) -> T5Config:
    """`depth` layers in either half, without dropout, which fine-tuning sets; one matrix of embeddings."""
    width = width_of(model)
    return T5Config(
        num_layers=model.depth,
        num_decoder_layers=model.depth,
        d_model=width,
        d_kv=HEAD_DIM,
        num_heads=width // HEAD_DIM,
        d_ff=4 * width,
        dropout_rate=0.0,
        # Settings that its class does not list, and its config keeps all the same.
        **with_sentinels(vocabulary)
        | {"max_position_embeddings": model.max_length, "decoder_start_token_id": vocabulary["pad_token_id"]},
    )


def _before_head(model: Any, hidden: Tensor) -> Tensor:
    """Scaled down where the head is the table of embeddings; T5 1.1 leaves that out."""
    return cast(Tensor, hidden * model.model_dim**-0.5) if model.config.scale_decoder_outputs else hidden


ARCHITECTURE = encoder_decoder(
    "encoder.block",
    DecoderStack("decoder.block", "num_decoder_layers"),
    "dropout_rate",
    config,
    _before_head,
    # Scores get a learned bias by distance, which the attention of this project does not take.
    own_attention=True,
)
