"""GLM-4: LLaMA's layers, half of each head rotated, gate and input of the feed-forward block one matrix (Zeng 2024)."""

from __future__ import annotations

from dataclasses import replace

from transformers import GlmConfig

from components.modeling.architectures.architecture import PrunableUnits, Vocabulary
from components.modeling.architectures.families import llama_like, llama_shape
from components.modeling.config import HEAD_DIM, ModelConfig

NEURONS = PrunableUnits(
    "intermediate_size", "mlp.down_proj", {"mlp.gate_up_proj.weight": (0, 2), "mlp.down_proj.weight": (1, 1)}
)


def config(model: ModelConfig, vocabulary: Vocabulary) -> GlmConfig:
    """Every head has keys and values of its own."""
    return GlmConfig(**llama_shape(model), head_dim=HEAD_DIM, **vocabulary)


ARCHITECTURE = replace(llama_like(config), neurons=NEURONS)
