"""Qwen2: LLaMA's layers with biases in its queries, keys and values (Yang 2024)."""

from __future__ import annotations

from transformers import Qwen2Config

from components.modeling.architectures.architecture import Vocabulary
from components.modeling.architectures.families import llama_like, llama_shape
from components.modeling.config import ModelConfig


def config(model: ModelConfig, vocabulary: Vocabulary) -> Qwen2Config:
    """Every head has keys and values of its own."""
    return Qwen2Config(**llama_shape(model), **vocabulary)


ARCHITECTURE = llama_like(config)
