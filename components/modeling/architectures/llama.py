"""LLaMA: pre-RMSNorm, rotary, gated decoder (Touvron 2023)."""

from __future__ import annotations

from transformers import LlamaConfig

from components.modeling.architectures.architecture import Vocabulary
from components.modeling.architectures.families import llama_like, llama_shape
from components.modeling.config import ModelConfig


def config(model: ModelConfig, vocabulary: Vocabulary) -> LlamaConfig:
    """Input and output embeddings are one matrix."""
    return LlamaConfig(**llama_shape(model), **vocabulary)


ARCHITECTURE = llama_like(config)
