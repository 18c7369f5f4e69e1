"""Qwen3: LLaMA's layers with norms of its queries and keys (Yang 2025)."""

from __future__ import annotations

from transformers import Qwen3Config

from components.modeling.architectures.architecture import Vocabulary
from components.modeling.architectures.families import llama_like, llama_shape
from components.modeling.config import HEAD_DIM, ModelConfig


def config(model: ModelConfig, vocabulary: Vocabulary) -> Qwen3Config:
    """Every head has keys and values of its own."""
    return Qwen3Config(**llama_shape(model), head_dim=HEAD_DIM, **vocabulary)


ARCHITECTURE = llama_like(config)
