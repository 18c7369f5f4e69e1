"""ELECTRA: BERT's layers, under a head that sees replaced tokens (Clark 2020)."""

from __future__ import annotations

from transformers import ElectraConfig

from components.modeling.architectures.architecture import Architecture, Vocabulary
from components.modeling.architectures.families import BERT_HEADS, BERT_NEURONS, FIRST_TOKEN, bert_shape, width_of
from components.modeling.config import ModelConfig


def config(model: ModelConfig, vocabulary: Vocabulary) -> ElectraConfig:
    """Embeddings are as wide as the layers; without dropout, which fine-tuning sets."""
    return ElectraConfig(**bert_shape(model), embedding_size=width_of(model), **vocabulary)


ARCHITECTURE = Architecture(
    language_model="masked_lm",
    layers="encoder.layer",
    before_head=lambda model, hidden: model.generator_predictions(hidden),
    head="generator_lm_head",
    dropouts=("hidden_dropout_prob", "classifier_dropout"),
    pooling=FIRST_TOKEN,
    neurons=BERT_NEURONS,
    heads=BERT_HEADS,
    config=config,
)
