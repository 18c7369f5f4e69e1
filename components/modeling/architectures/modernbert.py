"""ModernBERT: pre-LN, rotary, gated encoder (Warner 2024)."""

from __future__ import annotations

from transformers import ModernBertConfig

from components.modeling.architectures.architecture import Architecture, PrunableUnits, Vocabulary, slices_of
from components.modeling.architectures.families import gated_width, width_of
from components.modeling.config import HEAD_DIM, ModelConfig


def config(model: ModelConfig, vocabulary: Vocabulary) -> ModernBertConfig:
    """All layers attend globally, the mean token is classified."""
    width = width_of(model)
    return ModernBertConfig(
        num_hidden_layers=model.depth,
        hidden_size=width,
        num_attention_heads=width // HEAD_DIM,
        intermediate_size=gated_width(width),
        max_position_embeddings=model.max_length,
        layer_types=["full_attention"] * model.depth,
        classifier_pooling="mean",
        **vocabulary,
    )


ARCHITECTURE = Architecture(
    language_model="masked_lm",
    layers="layers",
    before_head=lambda model, hidden: model.head(hidden),
    head="decoder",
    dropouts=("embedding_dropout", "classifier_dropout"),
    pooling="the mean token, or the first",
    # Wi holds what is activated and what gates it, one above the other.
    neurons=PrunableUnits("intermediate_size", "mlp.Wo", {**slices_of("mlp.Wi", 0, 2), "mlp.Wo.weight": (1, 1)}),
    heads=PrunableUnits("num_attention_heads", "attn.Wo", {**slices_of("attn.Wqkv", 0, 3), "attn.Wo.weight": (1, 1)}),
    config=config,
)
