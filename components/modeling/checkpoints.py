"""Folders transformers can load: the same weights give the same bytes, wherever and whenever they are written."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from safetensors import safe_open
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel
from transformers import PreTrainedTokenizerFast as Tokenizer

from components.errors import ArtifactError, ParameterError
from components.modeling import loading
from components.modeling.architectures import ATTENTION_DROPOUTS, LANGUAGE_MODELS, architecture_name, architecture_of
from components.modeling.architectures.families import FIRST_SENTINEL, SENTINELS
from components.modeling.heads import auto_model
from components.modeling.loading import Loaded, load_config, load_model, random_model
from components.modeling.vocabulary import grow_vocabulary, parts_of_new_tokens
from components.modeling.weight_files import POOLER, stored_tensors

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
INIT_FROM = "pretrain.init_from"


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer in an artifact folder. Raises ArtifactError where there is none."""
    if not (folder / "tokenizer.json").is_file():
        raise ArtifactError(f"{folder}: no tokenizer.json here", "run `dvc repro` or `lianzi run` to make it")
    return Tokenizer.from_pretrained(folder, trust_remote_code=False)


def save_checkpoint(
    model: PreTrainedModel, tokenizer: Path, folder: Path, beside: Mapping[str, Tensor] = MappingProxyType({})
) -> None:
    """Write weights and config, and copy the tokenizer's files unchanged. `beside`: weights the model has no place for,
    by their names inside the backbone."""
    model.config._name_or_path = ""
    model.cpu()
    base = "" if model.base_model is model else f"{model.base_model_prefix}."
    weights = model.state_dict() | {f"{base}{name}": tensor for name, tensor in beside.items()}
    model.save_pretrained(folder, state_dict=weights)
    # safetensors leaves its file readable by its owner alone.
    (folder / "model.safetensors").chmod(0o644)
    for name in TOKENIZER_FILES:
        shutil.copyfile(tokenizer / name, folder / name)


def load_language_model(name: str, tokenizer: Tokenizer) -> Loaded:
    """A checkpoint to go on from, in a local folder, with a row for each of the project's tokens; its vocabulary head
    may be new.

    Raises ParameterError where it cannot be loaded, ArtifactError where its token ids mean other tokens than ours: its
    embeddings would be noise.
    """
    config = load_config(name, INIT_FROM)
    theirs = own_tokens(name, config)
    check_same_tokens(name, theirs, tokenizer.get_vocab())
    loaded = load_model(LANGUAGE_MODELS[architecture_of(config).language_model], name, new_heads=True, role=INIT_FROM)
    # What marks the spans of a damaged text has rows behind the tokens, where it is no token as it is of T5's.
    marks = SENTINELS if config.is_encoder_decoder and FIRST_SENTINEL not in theirs else 0
    more = len(tokenizer) > len(theirs)
    parts = parts_of_new_tokens(loading.load_tokenizer(Path(name), name, INIT_FROM), tokenizer) if more else {}
    grow_vocabulary(loaded.model, min(len(theirs), config.vocab_size), len(tokenizer) + marks, parts)
    # Classifiers that read the last token find it by this id. Where positions count from padding it must stay.
    if architecture_of(config).first_position(config) == 0:
        loaded.model.config.pad_token_id = tokenizer.pad_token_id
    return loaded


def check_architecture(name: str, config: PreTrainedConfig, architecture: str) -> None:
    """Raise ParameterError where a checkpoint is of another architecture than model.architecture: DVC knows by that
    name which code the stages use."""
    if architecture_name(config) != architecture:
        raise ParameterError(
            f"{INIT_FROM}: {name} is a {config.model_type}, but model.architecture is {architecture}",
            f"set model.architecture to {architecture_name(config)}, as `lianzi init-from` does",
        )


def own_tokens(name: str, config: PreTrainedConfig) -> dict[str, int]:
    """The tokens in a checkpoint's folder with their ids. Raises ParameterError where the model lacks rows for them.

    Tokens that were added to a tokenizer may be without: they get rows.
    """
    theirs: Any = loading.load_tokenizer(Path(name), name, INIT_FROM)
    size = theirs.backend_tokenizer.get_vocab_size(with_added_tokens=False)
    if size > config.vocab_size:
        raise ParameterError(
            f"{INIT_FROM}: {name}: the tokenizer has {size:,} tokens, the model rows for {config.vocab_size:,}",
            "they do not belong together: take both from one release of the model",
        )
    return dict(theirs.get_vocab())


def check_same_tokens(name: str, theirs: Mapping[str, int], ours: Mapping[str, int]) -> None:
    """Raise ArtifactError unless each of a checkpoint's tokens has the same id in ours, which may have more."""
    different = sorted((index, token) for token, index in theirs.items() if ours.get(token) != index)
    if different:
        raise ArtifactError(
            f"{INIT_FROM}: {len(different):,} of {len(theirs):,} tokens of {name} are not in this project's tokenizer "
            f"({len(ours):,} tokens) under their ids, {different[0][1]!r} the first of them",
            f"an embedding belongs to its token ids: set train_tokenizer.from to {name}, as `lianzi init-from` does",
        )


def pooler_weights(folder: Path) -> dict[str, Tensor]:
    """What a checkpoint has of a pooler, in float32, by the names inside the backbone."""
    found: dict[str, Tensor] = {}
    for name, stored in stored_tensors(folder).items():
        place = f".{name}".rfind(f".{POOLER}.")
        if place >= 0:
            with safe_open(stored.file, framework="pt") as weights:
                found[name[place:]] = weights.get_tensor(name).float()
    return found


def load_classifier(folder: Path, labels: Sequence[str], dropout: float, head: str = "sequence") -> Loaded:
    """The encoder of a pretrained checkpoint under a new head, a key of HEADS (random: torch's global generator)."""
    config = classifier_config(folder, labels, dropout, head)
    return load_model(auto_model(head, config), folder, config=config, new_heads=True)


def random_classifier(folder: Path, labels: Sequence[str], dropout: float, head: str = "sequence") -> PreTrainedModel:
    """The same model with none of the checkpoint's weights: what fine-tuning is worth without pretraining."""
    config = classifier_config(folder, labels, dropout, head)
    return random_model(auto_model(head, config), config)


def classifier_config(folder: Path, labels: Sequence[str], dropout: float, head: str) -> PreTrainedConfig:
    """A checkpoint's config with a task's labels and a fine-tuning dropout."""
    config = _local_config(folder)
    set_task(config, labels, dropout, head)
    return config


def set_task(config: PreTrainedConfig, labels: Sequence[str], dropout: float, head: str) -> None:
    """Set a task's labels, a fine-tuning dropout, and what the architecture has to be under a task's head."""
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    # Taggers ask for `classifier_dropout` whatever the architecture, and take 0.1 where there is none.
    for name in (*architecture_of(config).dropouts, *(["classifier_dropout"] if head in ("spans", "tokens") else [])):
        setattr(config, name, dropout)
    for name, value in architecture_of(config).task_settings.items():
        setattr(config, name, value)
    for name in ATTENTION_DROPOUTS:
        # Published encoders name 0.1 here: with it no fused kernel runs, and finetune.dropout says what is dropped.
        if hasattr(config, name):
            setattr(config, name, 0.0)


def _local_config(folder: Path) -> PreTrainedConfig:
    if not (folder / "config.json").is_file():
        raise ArtifactError(f"{folder}: no config.json here", "run `dvc repro` or `lianzi run` to make it")
    return load_config(folder)
