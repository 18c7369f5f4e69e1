"""A model with fewer tokens: rows of its embedding table, and of a vocabulary head, for those that stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel


@torch.no_grad()
def keep_tokens(model: PreTrainedModel, kept: Sequence[int]) -> None:
    """Keep the embeddings of these token ids, in this order: from now on a token's id is its place among them."""
    index = torch.tensor(kept)
    table = cast(nn.Embedding, model.get_input_embeddings())
    tensors = [table.weight]
    head = model.get_output_embeddings()
    if head is not None:
        tensors += [] if head.weight is table.weight else [head.weight]
        tensors += [] if head.bias is None else [head.bias]
    for tensor in tensors:
        tensor[: len(kept)] = tensor[index]
    places = {old: new for new, old in enumerate(kept)}
    padding = table.padding_idx
    model.resize_token_embeddings(len(kept), mean_resizing=False)
    cast(nn.Embedding, model.get_input_embeddings()).padding_idx = None if padding is None else places.get(padding)
    _renumber(model.config, places)


def _renumber(config: PreTrainedConfig, places: Mapping[int, int]) -> None:
    """Give the special tokens in a config their new ids; tokens that are gone have none."""
    for name, value in config.to_dict().items():
        if name.endswith("_token_id") and value is not None:
            several = isinstance(value, list)
            setattr(config, name, [places[old] for old in value if old in places] if several else places.get(value))
