"""BERT: post-LN encoder (Devlin 2019)."""

from __future__ import annotations

from transformers import BertConfig

from components.modeling.architectures.architecture import Architecture, Vocabulary
from components.modeling.architectures.families import BERT_HEADS, BERT_NEURONS, FIRST_TOKEN, bert_shape
from components.modeling.config import ModelConfig


def config(model: ModelConfig, vocabulary: Vocabulary) -> BertConfig:
    """Without dropout, which fine-tuning sets."""
    return BertConfig(**bert_shape(model), **vocabulary)


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
    pooled=True,
)
