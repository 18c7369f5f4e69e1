"""Folders transformers can load: the same weights give the same bytes, wherever and whenever they are written."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel
from transformers import PreTrainedTokenizerFast as Tokenizer

from components.errors import ArtifactError, ParameterError
from components.modeling.architectures import LANGUAGE_MODELS, architecture_of
from components.modeling.loading import Loaded, load_config, load_model, random_model

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
INIT_FROM = "pretrain.init_from"


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer in an artifact folder. Raises ArtifactError where there is none."""
    if not (folder / "tokenizer.json").is_file():
        raise ArtifactError(f"{folder}: no tokenizer.json here", "run `dvc repro` or `lianzi run` to make it")
    return Tokenizer.from_pretrained(folder, trust_remote_code=False)


def save_checkpoint(model: PreTrainedModel, tokenizer: Path, folder: Path) -> None:
    """Write weights and config, and copy the tokenizer's files unchanged."""
    model.config._name_or_path = ""
    model.cpu()
    model.save_pretrained(folder)
    # safetensors leaves its file readable by its owner alone.
    (folder / "model.safetensors").chmod(0o644)
    for name in TOKENIZER_FILES:
        shutil.copyfile(tokenizer / name, folder / name)


def load_language_model(name: str, objective: str, tokenizer: Tokenizer) -> Loaded:
    """A checkpoint to pretrain further, from a local folder or a hub; its vocabulary head may be new.

    Raises ParameterError where it cannot be loaded or learns by another objective, ArtifactError where its token
    ids mean other tokens than ours: its embeddings would be noise.
    """
    config = load_config(name, INIT_FROM)
    known = architecture_of(config).objectives
    if objective not in known:
        raise ParameterError(
            f"pretrain.init_from: {name} is a {config.model_type}, which does not learn by {objective}",
            f"set pretrain.objective to {' or '.join(known)}",
        )
    _check_same_vocabulary(name, config, tokenizer)
    return load_model(LANGUAGE_MODELS[objective], name, new_heads=True, role=INIT_FROM)


def load_classifier(folder: Path, labels: Sequence[str], dropout: float) -> Loaded:
    """The encoder of a pretrained checkpoint under a new classification head (random: torch's global generator)."""
    config = classifier_config(folder, labels, dropout)
    return load_model(AutoModelForSequenceClassification, folder, config=config, new_heads=True)


def random_classifier(folder: Path, labels: Sequence[str], dropout: float) -> PreTrainedModel:
    """The same model with none of the checkpoint's weights: what fine-tuning is worth without pretraining."""
    return random_model(AutoModelForSequenceClassification, classifier_config(folder, labels, dropout))


def classifier_config(folder: Path, labels: Sequence[str], dropout: float) -> PreTrainedConfig:
    """A checkpoint's config with a task's labels and a fine-tuning dropout."""
    config = _local_config(folder)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    for name in architecture_of(config).dropouts:
        setattr(config, name, dropout)
    return config


def _local_config(folder: Path) -> PreTrainedConfig:
    if not (folder / "config.json").is_file():
        raise ArtifactError(f"{folder}: no config.json here", "run `dvc repro` or `lianzi run` to make it")
    return load_config(folder)


def _check_same_vocabulary(name: str, config: PreTrainedConfig, tokenizer: Tokenizer) -> None:
    hint = (
        "an embedding belongs to its token ids: use the checkpoint's own tokenizer, or set pretrain.init_from to null"
    )
    if config.vocab_size != len(tokenizer):
        raise ArtifactError(
            f"pretrain.init_from: {name} has {config.vocab_size} token ids, this project's tokenizer {len(tokenizer)}",
            hint,
        )
    theirs: Any = Tokenizer.from_pretrained(name, trust_remote_code=False).get_vocab()
    different = sum(theirs.get(token) != index for token, index in tokenizer.get_vocab().items())
    if different:
        raise ArtifactError(
            f"pretrain.init_from: {different} tokens have other ids in {name} than in this project's tokenizer", hint
        )
