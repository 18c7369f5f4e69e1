"""Prune or grow the vocabulary of a model: the rows of its embedding table and of its vocabulary head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from components.errors import ParameterError
from components.modeling.architectures import architecture_of


@torch.no_grad()
def prune_vocabulary(model: PreTrainedModel, kept: Sequence[int]) -> None:
    """Keep only the embeddings of these token ids; a token's new id is its index in `kept`."""
    index = torch.tensor(kept)
    table = cast(nn.Embedding, model.get_input_embeddings())
    for tensor in _rows(model):
        tensor[: len(kept)] = tensor[index]
    places = {old: new for new, old in enumerate(kept)}
    padding = table.padding_idx
    model.resize_token_embeddings(len(kept), mean_resizing=False)
    cast(nn.Embedding, model.get_input_embeddings()).padding_idx = None if padding is None else places.get(padding)
    _renumber(model.config, places)


def check_padding_stays(config: PreTrainedConfig, kept: Sequence[int]) -> None:
    """Raise ParameterError where positions count from the padding token's id, as in RoBERTa and MPNet, and pruning
    would change that id: every position would be another."""
    pad = config.pad_token_id
    if pad is not None and architecture_of(config).first_position(config) and kept.index(pad) != pad:
        raise ParameterError(
            f"distill.min_token_count: a {config.model_type} counts positions from its padding token, whose id would "
            f"change from {pad} to {kept.index(pad)}",
            "set it to 0 to keep the whole vocabulary",
        )


def parts_of_new_tokens(theirs: Any, ours: Any) -> dict[int, list[int]]:
    """The ids of a tokenizer's tokens that another lacks -> the ids that the other cuts them into; without those that
    are special, and those that it does not know.

    Both are transformers' fast tokenizers; a token of either has the same id in the other.
    """
    old, model = theirs.get_vocab(), theirs.backend_tokenizer.model
    special = {token.content for token in ours.backend_tokenizer.get_added_tokens_decoder().values()}
    mark = getattr(model, "continuing_subword_prefix", None) or ""
    unknown = old.get(getattr(model, "unk_token", None) or "")
    parts: dict[int, list[int]] = {}
    for token, index in ours.get_vocab().items():
        if token not in old and token not in special:
            ids = [piece.id for piece in model.tokenize(token.removeprefix(mark))]
            if ids and unknown not in ids:
                parts[index] = ids
    return parts


@torch.no_grad()
def grow_vocabulary(
    model: PreTrainedModel, known: int, size: int, parts: Mapping[int, Sequence[int]] = MappingProxyType({})
) -> None:
    """Grow the vocabulary to `size` tokens, of which the checkpoint has learnt the first `known`.

    A new token begins as the mean of the known ones, in the embedding table and in a vocabulary head: the answers to a
    text without it stay almost as they were, where a random row could draw any share of them to itself (Hewitt 2021,
    "Initializing New Word Embeddings for Pretrained Language Models"). One that is known to consist of `parts`, tokens
    that the model has read in its place so far, begins as their mean. Rows that no token has, with which many
    checkpoints round their tables up, stay.
    """
    if size <= known:
        return
    table = cast(nn.Embedding, model.get_input_embeddings())
    if size > table.num_embeddings:
        model.resize_token_embeddings(size, mean_resizing=False)
    for tensor in _rows(model):
        tensor[known:size] = tensor[:known].mean(dim=0)
        for index, ids in parts.items():
            tensor[index] = tensor[list(ids)].mean(dim=0)


def _rows(model: PreTrainedModel) -> list[Tensor]:
    """The tensors with a row for each token, each once: of the embedding table, and of a head's weights and biases."""
    table, head = cast(nn.Embedding, model.get_input_embeddings()), model.get_output_embeddings()
    tensors: list[Tensor] = [table.weight]
    if head is not None:
        tensors += [] if head.weight is table.weight else [head.weight]
        tensors += [] if head.bias is None else [head.bias]
    return tensors


def _renumber(config: PreTrainedConfig, places: Mapping[int, int]) -> None:
    """Set the new ids of special tokens in a config, None for pruned ones."""
    for name, value in config.to_dict().items():
        if name.endswith("_token_id") and value is not None:
            several = isinstance(value, list)
            setattr(config, name, [places[old] for old in value if old in places] if several else places.get(value))
