"""Folders transformers can load: the same weights give the same bytes, wherever and whenever they are written."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel
from transformers import PreTrainedTokenizerFast as Tokenizer

from components.errors import ArtifactError, ParameterError
from components.modeling.architectures import LANGUAGE_MODELS, architecture_of

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer in an artifact folder. Raises ArtifactError where there is none."""
    if not (folder / "tokenizer.json").is_file():
        raise ArtifactError(f"{folder}: no tokenizer.json here", "run `dvc repro` or `lianzi run` to make it")
    return Tokenizer.from_pretrained(folder)


def save_checkpoint(model: PreTrainedModel, tokenizer: Path, folder: Path) -> None:
    """Write weights and config, and copy the tokenizer's files unchanged."""
    model.config._name_or_path = ""
    model.cpu()
    model.save_pretrained(folder)
    # safetensors leaves its file readable by its owner alone.
    (folder / "model.safetensors").chmod(0o644)
    for name in TOKENIZER_FILES:
        shutil.copyfile(tokenizer / name, folder / name)


def load_language_model(name: str, objective: str, tokenizer: Tokenizer) -> PreTrainedModel:
    """A checkpoint to pretrain further, from a local folder or a hub.

    Raises ParameterError where it cannot be loaded or learns by another objective, ArtifactError where its token
    ids mean other tokens than ours: its embeddings would be noise.
    """
    config = _named_config(name)
    known = architecture_of(config).objectives
    if objective not in known:
        raise ParameterError(
            f"pretrain.init_from: {name} is a {config.model_type}, which does not learn by {objective}",
            f"set pretrain.objective to {' or '.join(known)}",
        )
    _check_same_vocabulary(name, config, tokenizer)
    return LANGUAGE_MODELS[objective].from_pretrained(name)


def load_classifier(folder: Path, labels: Sequence[str], dropout: float) -> PreTrainedModel:
    """The encoder of a pretrained checkpoint under a new classification head (random: torch's global generator)."""
    config = classifier_config(folder, labels, dropout)
    return AutoModelForSequenceClassification.from_pretrained(folder, config=config)


def random_classifier(folder: Path, labels: Sequence[str], dropout: float) -> PreTrainedModel:
    """The same model with none of the checkpoint's weights: what fine-tuning is worth without pretraining."""
    return AutoModelForSequenceClassification.from_config(classifier_config(folder, labels, dropout))


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
    return AutoConfig.from_pretrained(folder)


def _named_config(name: str) -> PreTrainedConfig:
    try:
        return AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ParameterError(
            f"pretrain.init_from: cannot load {name!r}: {reason}",
            "give a folder with config.json and model.safetensors, or a hub name this machine can reach",
        ) from None


def _check_same_vocabulary(name: str, config: PreTrainedConfig, tokenizer: Tokenizer) -> None:
    hint = (
        "an embedding belongs to its token ids: use the checkpoint's own tokenizer, or set pretrain.init_from to null"
    )
    if config.vocab_size != len(tokenizer):
        raise ArtifactError(
            f"pretrain.init_from: {name} has {config.vocab_size} token ids, this project's tokenizer {len(tokenizer)}",
            hint,
        )
    theirs: Any = Tokenizer.from_pretrained(name).get_vocab()
    different = sum(theirs.get(token) != index for token, index in tokenizer.get_vocab().items())
    if different:
        raise ArtifactError(
            f"pretrain.init_from: {different} tokens have other ids in {name} than in this project's tokenizer", hint
        )
