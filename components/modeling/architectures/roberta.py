"""RoBERTa: BERT trained longer, on words of bytes (Liu 2019)."""

from __future__ import annotations

from transformers import RobertaConfig

from components.modeling.architectures.architecture import Vocabulary
from components.modeling.architectures.families import bert_shape, roberta_like
from components.modeling.config import ModelConfig


def config(model: ModelConfig, vocabulary: Vocabulary) -> RobertaConfig:
    """Positions count from behind that of padding; there is one kind of segment."""
    positions = model.max_length + int(vocabulary["pad_token_id"]) + 1
    return RobertaConfig(**bert_shape(model) | {"max_position_embeddings": positions}, type_vocab_size=1, **vocabulary)


ARCHITECTURE = roberta_like(config)
