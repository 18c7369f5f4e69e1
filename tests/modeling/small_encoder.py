"""The encoder that the tests of objectives share: one layer of one head, weights of a fixed seed."""

from __future__ import annotations

import torch
from transformers import ModernBertConfig, ModernBertForMaskedLM


def small_encoder() -> ModernBertForMaskedLM:
    torch.manual_seed(0)
    config = ModernBertConfig(
        vocab_size=1000,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=1,
        pad_token_id=0,
    )
    return ModernBertForMaskedLM(config)
