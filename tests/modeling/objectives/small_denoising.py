"""Small encoder-decoders, and the objectives that they learn by."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from components.modeling.architectures import LANGUAGE_MODELS, architecture
from components.modeling.config import ModelConfig
from components.modeling.loading import random_model
from components.modeling.objectives.span_corruption import SpanCorruption
from components.modeling.objectives.text_infilling import TextInfilling

VOCABULARY = {"vocab_size": 100, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
FULL_STOP = 50
SPANS = SpanCorruption(noise_density=0.15, mean_span_length=3, end_id=2, first=100, step=1)
INFILLING = TextInfilling(0.3, 3, end_id=2, mask_id=3, pad_id=0, sentence_ends=(FULL_STOP,))
OBJECTIVES = {"t5": SPANS, "bart": INFILLING}
IDS = torch.arange(4, 36).repeat(3, 1)


def small(name: str) -> PreTrainedModel:
    section = ModelConfig.model_validate({"architecture": name, "depth": 1, "width": 64, "max_length": 64})
    build = architecture(name).config
    assert build is not None
    torch.manual_seed(0)
    return random_model(LANGUAGE_MODELS["seq2seq_lm"], build(section, VOCABULARY)).eval()


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
