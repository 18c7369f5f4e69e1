"""BERT: post-LN encoder (Devlin 2019)."""

from __future__ import annotations

from transformers import BertConfig

from components.modeling.architectures.architecture import Architecture, Vocabulary
from components.modeling.architectures.families import BERT_HEADS, BERT_NEURONS, FIRST_TOKEN, width_of
from components.modeling.config import HEAD_DIM, ModelConfig


def config(model: ModelConfig, vocabulary: Vocabulary) -> BertConfig:
    """Without dropout, which fine-tuning sets."""
    width = width_of(model)
    return BertConfig(
        num_hidden_layers=model.depth,
        hidden_size=width,
        num_attention_heads=width // HEAD_DIM,
        intermediate_size=4 * width,
        max_position_embeddings=model.max_length,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **vocabulary,
    )


ARCHITECTURE = Architecture(
    language_model="masked_lm",
    layers="encoder.layer",
    before_head=lambda model, hidden: model.cls.predictions.transform(hidden),
    head="cls.predictions.decoder",
    dropouts=("hidden_dropout_prob", "classifier_dropout"),
    pooling=FIRST_TOKEN,
    neurons=BERT_NEURONS,
    heads=BERT_HEADS,
    config=config,
)
