"""Bundles of a small decoder and a small encoder, untrained: what they say is noise, but always the same noise."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from components.deployment.generation.bundle import BundleOptions, make_bundle

OPTIONS = BundleOptions(rungs=("fp32",), max_batch=4, max_length=48)
SIZES = {
    "vocab_size": 330,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
}
TEXTS = ("ship wave whale tide", "門 市 tower street")


def small_decoder(root: Path, tokenizer: Path) -> Path:
    """A bundle `letters` that generates."""
    config = LlamaConfig(**SIZES, max_position_embeddings=48, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    return _bundled(LlamaForCausalLM, config, root / "letters", tokenizer)


def small_encoder(root: Path, tokenizer: Path) -> Path:
    """A bundle `meanings` that embeds."""
    config = BertConfig(**SIZES, max_position_embeddings=48, pad_token_id=0)
    return _bundled(BertModel, config, root / "meanings", tokenizer)


def _bundled(kind: type[PreTrainedModel], config: LlamaConfig | BertConfig, folder: Path, tokenizer: Path) -> Path:
    torch.manual_seed(5)
    model = kind(config)
    model.save_pretrained(folder / "model")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tokenizer / name, folder / "model" / name)
    make_bundle(folder / "model", folder / "bundle", TEXTS, OPTIONS, folder.name, lambda line: None)
    return folder / "bundle"
