"""BART: post-LN encoder-decoder with learned positions (Lewis 2020)."""

from __future__ import annotations

from transformers import BartConfig

from components.modeling.architectures.architecture import DecoderStack, Vocabulary
from components.modeling.architectures.families import encoder_decoder, width_of, with_sentinels
from components.modeling.config import HEAD_DIM, ModelConfig


def config(model: ModelConfig, vocabulary: Vocabulary) -> BartConfig:
    """`depth` layers in either half, without dropout, which fine-tuning sets; one matrix of embeddings."""
    width = width_of(model)
    return BartConfig(
        encoder_layers=model.depth,
        decoder_layers=model.depth,
        d_model=width,
        encoder_attention_heads=width // HEAD_DIM,
        decoder_attention_heads=width // HEAD_DIM,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        max_position_embeddings=model.max_length,
        dropout=0.0,
        # What has been written ends where the model says so, not because there is no room for more.
        forced_eos_token_id=None,
        decoder_start_token_id=vocabulary["eos_token_id"],
        **with_sentinels(vocabulary),
    )


ARCHITECTURE = encoder_decoder("encoder.layers", DecoderStack("decoder.layers", "decoder_layers"), "dropout", config)
