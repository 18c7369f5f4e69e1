"""What a checkpoint is, and whether it can be gone on from: read from its config, its tokenizer and the headers of its
weights, before a number of them is."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModel, PreTrainedConfig

from components.errors import ParameterError, first_line
from components.modeling.architectures import architecture_name, architecture_of, positions_of
from components.modeling.architectures.architecture import Architecture
from components.modeling.checkpoints import INIT_FROM, check_architecture, check_same_tokens, own_tokens
from components.modeling.kinds import ARCHITECTURES, GENERATES, WRITES
from components.modeling.loading import load_config, random_model, refuse_damaged, refuse_pickled
from components.modeling.objectives.lookup import check_objective
from components.modeling.students import sizes
from components.modeling.weight_files import POOLER, Stored, stored_tensors
from components.params import Params
from components.starts import local_folder
from components.tokenization.imported import import_tokenizer

_OLD_NAMES = {"gamma": "weight", "beta": "bias"}
"""How the first checkpoints called what a normalisation learns."""


@dataclass(frozen=True)
class Found:
    """A checkpoint that can be gone on from. `rows`: of its embedding table; `positions`: tokens it reads at most;
    `parameters`: in its files; `pooling`: what its classifier will read; `new`: heads that it lacks."""

    config: PreTrainedConfig
    entry: Architecture
    tokens: dict[str, int]
    rows: int
    positions: int
    parameters: int
    files: int
    dtype: str
    pooling: str
    new: tuple[str, ...]


def inspect(name: str) -> Found:
    """Look at the checkpoint of a folder or a hub name.

    Raises ParameterError where it cannot be gone on from: code of its own, an unknown family, weights that are pickled,
    missing, damaged or of another shape than the config says, a tokenizer of another model.
    """
    folder = str(local_folder(INIT_FROM, name))
    config = load_config(folder, INIT_FROM)
    entry = _family(name, config)
    refuse_pickled(folder, INIT_FROM)
    refuse_damaged(folder, INIT_FROM)
    stored = stored_tensors(Path(folder))
    _check_shapes(name, config, stored)
    numbers = [one for one in stored.values() if "F" in one.dtype]  # old files hold positions too, as integers
    return Found(
        config=config,
        entry=entry,
        tokens=own_tokens(folder, config),
        rows=config.vocab_size,
        positions=positions_of(config),
        parameters=sum(torch.Size(one.shape).numel() for one in numbers),
        files=len({one.file for one in stored.values()}),
        dtype=numbers[0].dtype,
        pooling=_pooling(entry, config, stored),
        new=_new_heads(entry, config, stored),
    )


def check_start(params: Params) -> Found | None:
    """Look at the checkpoint that the parameters name, and whether they fit it; None where they name none.

    Raises ParameterError where the pipeline could not go on from it: before its first stage runs.
    """
    config = params.pretrain
    if config.init_from is None:
        return None
    found = inspect(config.init_from)
    check_architecture(config.init_from, found.config, params.model.architecture)
    check_objective(params.model.architecture, config.objective.name)
    sizes(found.config, params.distill)
    if params.train_tokenizer.imported is not None:
        tokenizer, _, _ = import_tokenizer(params.train_tokenizer.imported, params.train_tokenizer.special_tokens)
        check_same_tokens(config.init_from, found.tokens, tokenizer.get_vocab(with_added_tokens=True))
    for parameter, length in params.lengths().items():
        trained = config.steps > 0 or parameter != "pretrain.sequence_length"
        if trained and length > found.positions:
            raise ParameterError(
                f"{parameter} {length} is longer than {config.init_from} reads ({found.positions} tokens)",
                f"set it to {found.positions} or less, as `lianzi init-from` does",
            )
    return found


def _family(name: str, config: PreTrainedConfig) -> Architecture:
    if architecture_name(config) in ARCHITECTURES:
        return architecture_of(config)
    raise ParameterError(
        f"{INIT_FROM}: {name} is a {config.model_type}: it cannot be trained here",
        f"known: {', '.join(ARCHITECTURES)}; `lianzi bundle` takes more families as they are",
    )


def _check_shapes(name: str, config: PreTrainedConfig, stored: Mapping[str, Stored]) -> None:
    """Compare the headers with the backbone that the config describes, which is made without memory for it."""
    try:
        with torch.device("meta"):
            model = random_model(AutoModel, copy.deepcopy(config))
    except Exception as error:  # sizes that no model can have end in whatever torch says of them
        raise ParameterError(
            f"{INIT_FROM}: {name}: config.json describes no model: {first_line(error)}",
            "take it anew from where the weights came from",
        ) from None
    there = {_inside(key, model.base_model_prefix): one.shape for key, one in stored.items()}
    # An encoder-decoder's two tables of embeddings are one matrix, which stands in the file once.
    tied = {key for key, one in (getattr(model, "_tied_weights_keys", None) or {}).items() if one in there}
    wanted = {
        key: tuple(value.shape)
        for key, value in model.state_dict().items()
        if not key.startswith(POOLER) and key not in tied
    }
    missing = [key for key in wanted if key not in there]
    if missing:
        raise ParameterError(
            f"{INIT_FROM}: {name}: {len(missing)} of {len(wanted)} weights are missing, {missing[0]} the first of them",
            "check that config.json belongs to these weights, or write both anew with model.save_pretrained(folder)",
        )
    other = [key for key, shape in wanted.items() if there[key] != shape]
    if other:
        raise ParameterError(
            f"{INIT_FROM}: {name}: {len(other)} weights have another shape than config.json says, {other[0]} the first "
            f"of them: {there[other[0]]} instead of {wanted[other[0]]}",
            "check that config.json belongs to these weights",
        )


def _inside(key: str, prefix: str) -> str:
    """A weight's name inside the backbone, as it is called today."""
    start, _, last = key.removeprefix(f"{prefix}.").rpartition(".")
    return f"{start}.{_OLD_NAMES.get(last, last)}" if start else last


def _pooling(entry: Architecture, config: PreTrainedConfig, stored: Mapping[str, Stored]) -> str:
    kind = getattr(config, "classifier_pooling", None)  # ModernBERT's
    if kind is not None:
        return "the mean token" if kind == "mean" else "the first token"
    pooled = any(f".{key}".rfind(f".{POOLER}.") >= 0 for key in stored)
    return f"{entry.pooling}, through the pretrained pooler" if pooled else entry.pooling


def _new_heads(entry: Architecture, config: PreTrainedConfig, stored: Mapping[str, Stored]) -> tuple[str, ...]:
    """Heads of a task and of language modelling that are not in the files."""
    first = entry.head.partition(".")[0]
    # A head that is a matrix alone: tied, nothing of it stands in a file.
    tied = entry.language_model in GENERATES and config.tie_word_embeddings
    if entry.language_model == WRITES:
        return ()  # what it pretrained with is what answers a task
    has = tied or any(key.partition(".")[0] == first for key in stored)
    return ("the classifier of each task",) if has else ("the classifier of each task", "the vocabulary head")
