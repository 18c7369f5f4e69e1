"""LLaMA: pre-RMSNorm, rotary, gated decoder (Touvron 2023)."""

from __future__ import annotations

from transformers import LlamaConfig

from components.modeling.architectures.architecture import Vocabulary
from components.modeling.architectures.families import gated_width, llama_like, width_of
from components.modeling.config import HEAD_DIM, ModelConfig


def config(model: ModelConfig, vocabulary: Vocabulary) -> LlamaConfig:
    """Input and output embeddings are one matrix."""
    width = width_of(model)
    return LlamaConfig(
        num_hidden_layers=model.depth,
        hidden_size=width,
        num_attention_heads=width // HEAD_DIM,
        intermediate_size=gated_width(width),
        max_position_embeddings=model.max_length,
        tie_word_embeddings=True,
        **vocabulary,
    )


ARCHITECTURE = llama_like(config)
