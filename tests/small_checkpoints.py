"""Checkpoints of small language models with random weights, made in a moment."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel

from components.modeling.architectures import build_language_model
from components.modeling.checkpoints import load_tokenizer, save_checkpoint
from components.modeling.config import ModelConfig


def small_model(architecture: str, tokenizer_folder: Path, depth: int = 1) -> PreTrainedModel:
    """The same weights every time."""
    torch.manual_seed(5)
    section = ModelConfig.model_validate(
        {"architecture": architecture, "depth": depth, "width": None, "max_length": 32}
    )
    return build_language_model(section, load_tokenizer(tokenizer_folder), 16)


def small_checkpoint(architecture: str, tokenizer_folder: Path, folder: Path, depth: int = 1) -> Path:
    """One of them in a folder of its own, with its tokenizer."""
    folder.mkdir()
    save_checkpoint(small_model(architecture, tokenizer_folder, depth), tokenizer_folder, folder)
    return folder
